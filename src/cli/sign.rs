//! `wrapup sign`: what a sender would send with a payload, to try a source out.
//!
//! Signs only, sends nothing: the printed command does that.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use uuid::Uuid;

use super::{Exit, given};
use crate::clock::{Clock, UnixMs};
use crate::intake::{Payload, Signed, Source, Stamp};

/// Linux gives a program no argument of 128 KiB or more.
const MAX_ARGUMENT: usize = 100 * 1024;
/// More than any source takes; a larger payload is a mistake in the file's name.
const MAX_PAYLOAD: u64 = 64 * 1024 * 1024;

/// Print the headers that a source's sender would send with a survey.
///
/// They are signed with the source's secret and, where its scheme has a timestamp, good for its tolerance only. Where
/// the survey is sent within a form, the body is printed, too, behind an empty line. Where the secret is a token, or
/// the path ends with one, they are shown; before the headers stands the address if it holds one of them.
#[derive(clap::Args)]
#[command(
    after_help = "Sources with algorithm = \"ed25519\" hold the sender's public key only. To try one out, make a pair of \
                  keys of your own, put the public one into the source's `secrets` for that time, and give the private \
                  one here: `whsk_` and base64 (as Standard Webhooks writes it), or hexadecimal, of the 32 bytes of \
                  the key, with or without the public key's 32 behind. A variable keeps it off the command line, \
                  which others on this machine can see.\n\n\
                  Example:\n  wrapup sign generic survey.json --curl | sh\n  \
                  echo '{\"nps_score\":10}' | wrapup sign generic -\n  \
                  WRAPUP_SIGNING_KEY=whsk_... wrapup sign signed-by-key survey.json --json"
)]
pub(super) struct Args {
    /// The source's name, as in `[[source]]`.
    pub(super) source: String,
    /// The survey's file, or - for standard input. A sender of forms puts it into its field.
    payload: PathBuf,
    /// The message's id, where the source has one in a header; a new one by default.
    #[arg(long)]
    id: Option<String>,
    /// The file is the whole body as it is sent, and not a survey to be put into a form.
    #[arg(long)]
    body: bool,
    /// Which of the source's secrets signs, counted from 0.
    #[arg(long, default_value_t = 0, value_name = "N")]
    secret: usize,
    /// The private key of a source with algorithm = "ed25519".
    #[arg(
        long,
        value_name = "KEY",
        env = "WRAPUP_SIGNING_KEY",
        hide_env_values = true
    )]
    signing_key: Option<String>,
    /// Where the source's webhook is, as a whole; by default at this configuration's address. What is signed of the
    /// address is always `server.public_url`'s.
    #[arg(long, value_parser = given::address)]
    url: Option<String>,
    /// Print a command that posts the survey.
    #[arg(long, conflicts_with = "json")]
    curl: bool,
    /// For scripts: one JSON object with `method`, `url`, `headers` and, where it is not the survey as it is, `body`.
    #[arg(long)]
    json: bool,
}

impl std::fmt::Debug for Args {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // All but the key.
        f.debug_struct("Args")
            .field("source", &self.source)
            .field("payload", &self.payload)
            .finish_non_exhaustive()
    }
}

/// Finds the source and signs. `base` is the public listener's address, without a slash at its end.
pub(super) fn run<'a>(
    sources: impl IntoIterator<Item = &'a Source>,
    base: &str,
    args: &Args,
) -> anyhow::Result<Exit> {
    let source = given::source(sources, &args.source)?;
    let body = payload(&args.payload)?;
    let message = Message::new(source, base, args, &body, Clock::system().now())?;
    let text = if args.curl {
        message.curl(&args.payload)?
    } else if args.json {
        message.json()?
    } else {
        message.lines()?
    };
    std::io::stdout().lock().write_all(text.as_bytes())?;
    Ok(Exit::Ok)
}

fn payload(path: &Path) -> anyhow::Result<Vec<u8>> {
    let body = given::survey(path, MAX_PAYLOAD)?;
    ensure!(
        u64::try_from(body.len())? <= MAX_PAYLOAD,
        "the survey {} is over 64 MiB",
        path.display()
    );
    Ok(body)
}

/// A signed request and where it goes.
struct Message {
    url: String,
    /// A token is part of the address.
    tells_by_address: bool,
    signed: Signed,
    /// The body is the payload, byte by byte.
    is_plain: bool,
}

impl Message {
    fn new(
        source: &Source,
        base: &str,
        args: &Args,
        bytes: &[u8],
        now: UnixMs,
    ) -> anyhow::Result<Self> {
        let id = match &args.id {
            Some(id) => id.clone(),
            None => format!("msg_{}", Uuid::now_v7().simple()),
        };
        let stamp = Stamp {
            secret: args.secret,
            private_key: args.signing_key.as_deref(),
            now,
            id: &id,
        };
        let payload = if args.body {
            Payload::Body(bytes)
        } else {
            Payload::Survey(bytes)
        };
        let signed = source.sign(&stamp, payload)?;
        let query = signed.target.split_once('?').map(|(_, query)| query);
        let url = match (&args.url, query) {
            (None, _) => format!("{base}{}", signed.target),
            (Some(url), None) => url.clone(),
            (Some(url), Some(query)) => {
                let joint = if url.contains('?') { '&' } else { '?' };
                format!("{url}{joint}{query}")
            }
        };
        Ok(Self {
            url,
            tells_by_address: signed.target != source.path(),
            is_plain: signed.body == bytes,
            signed,
        })
    }

    /// The body where it is not the payload; only a text can be shown.
    fn other_body(&self) -> anyhow::Result<Option<&str>> {
        if self.is_plain {
            return Ok(None);
        }
        let text = str::from_utf8(&self.signed.body);
        text.map(Some)
            .context("the body is not UTF-8 and cannot be shown")
    }

    fn lines(&self) -> anyhow::Result<String> {
        let headers = self.signed.headers.iter();
        let lines: Vec<_> = headers
            .map(|(name, value)| format!("{name}: {value}\n"))
            .collect();
        let mut text = lines.concat();
        if let Some(body) = self.other_body()? {
            let kind = &self.signed.content_type;
            text = format!("content-type: {kind}\n{text}\n{body}\n");
        }
        if self.tells_by_address {
            text.insert_str(0, &format!("POST {}\n", self.url));
        }
        Ok(text)
    }

    fn json(&self) -> anyhow::Result<String> {
        let mut headers: serde_json::Map<_, _> = (self.signed.headers.iter())
            .map(|(name, value)| (name.to_string(), value.clone().into()))
            .collect();
        let body = self.other_body()?;
        if body.is_some() {
            let kind = self.signed.content_type.clone();
            headers.insert("content-type".to_owned(), kind.into());
        }
        let mut message =
            serde_json::json!({"method": "POST", "url": self.url, "headers": headers});
        if let Some(body) = body {
            message["body"] = body.into();
        }
        Ok(format!("{message}\n"))
    }

    /// A command for a POSIX shell. The payload is sent byte by byte: from its file, or as it was read.
    fn curl(&self, payload: &Path) -> anyhow::Result<String> {
        let kind = format!("content-type: {}", self.signed.content_type);
        let mut words = vec![
            format!("curl -sS -X POST {}", quoted(&self.url)),
            format!("-H {}", quoted(&kind)),
        ];
        for (name, value) in &self.signed.headers {
            words.push(format!("-H {}", quoted(&format!("{name}: {value}"))));
        }
        let mut piped = String::new();
        let data = if given::is_stdin(payload) || !self.is_plain {
            match str::from_utf8(&self.signed.body) {
                Ok(body) if body.contains('\0') => return Err(unwritable("the payload")),
                // A shell's own `printf` takes what no program could be given.
                Ok(body) if body.len() > MAX_ARGUMENT => {
                    piped = format!("printf %s {} | \\\n  ", quoted(body));
                    "--data-binary @-".to_owned()
                }
                // `--data-raw`, because the other forms take a leading @ for a file's name.
                Ok(body) => format!("--data-raw {}", quoted(body)),
                Err(_) => return Err(unwritable("the payload")),
            }
        } else {
            let path = payload
                .to_str()
                .ok_or_else(|| unwritable("the payload's name"))?;
            format!("--data-binary {}", quoted(&format!("@{path}")))
        };
        words.push(data);
        Ok(piped + &words.join(" \\\n  ") + "\n")
    }
}

fn unwritable(what: &str) -> anyhow::Error {
    let told =
        format!("{what} cannot be written into a command: give a file whose name is plain text");
    given::Misnamed(told).into()
}

/// A word for a POSIX shell, whatever it holds.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    fn message(args: &Args, body: &[u8]) -> Message {
        let config = "name = 'generic'\npreset = 'standard-webhooks'\n\
                      fields.interaction_id = { path = '$.id', type = 'uuid', required = true }";
        let secrets = vec![Secret::fixed(b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")];
        let source = Source::build(&toml::from_str(config).unwrap(), secrets).unwrap();
        let now = UnixMs(1_614_265_330_000);
        Message::new(&source, "http://127.0.0.1:8080", args, body, now).unwrap()
    }

    fn args(payload: &str) -> Args {
        Args {
            source: "generic".to_owned(),
            payload: payload.into(),
            id: Some("msg_p5jXN8AQM9LWM0D4loKWxJek".to_owned()),
            body: false,
            secret: 0,
            signing_key: None,
            url: None,
            curl: false,
            json: false,
        }
    }

    const BODY: &[u8] = b"{\"test\": 2432232314}";

    #[test]
    fn headers_are_those_of_the_published_vector() {
        assert_eq!(
            message(&args("-"), BODY).lines().unwrap(),
            "webhook-id: msg_p5jXN8AQM9LWM0D4loKWxJek\n\
             webhook-timestamp: 1614265330\n\
             webhook-signature: v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=\n"
        );
        let json: serde_json::Value =
            serde_json::from_str(&message(&args("-"), BODY).json().unwrap()).unwrap();
        assert_eq!(json["url"], "http://127.0.0.1:8080/webhooks/generic");
        assert_eq!(json["headers"]["webhook-timestamp"], "1614265330");
    }

    #[test]
    fn without_an_id_each_message_has_a_new_one() {
        let args = Args {
            id: None,
            ..args("-")
        };
        assert_ne!(
            message(&args, BODY).signed.headers[0],
            message(&args, BODY).signed.headers[0]
        );
    }

    #[test]
    fn the_command_names_the_file_or_holds_the_payload() {
        let args = Args {
            url: Some("https://a.example/x?y&z".to_owned()),
            ..args("it's.json")
        };
        let text = message(&args, BODY).curl(&args.payload).unwrap();
        assert!(
            text.starts_with("curl -sS -X POST 'https://a.example/x?y&z' \\\n"),
            "{text}"
        );
        assert!(
            text.ends_with("  --data-binary '@it'\\''s.json'\n"),
            "{text}"
        );
        let body = b"@{\"a\": \"it's\"}\n";
        let inline = message(&args, body).curl(Path::new("-")).unwrap();
        assert!(
            inline.ends_with("  --data-raw '@{\"a\": \"it'\\''s\"}\n'\n"),
            "{inline}"
        );
        assert!(message(&args, b"\xff").curl(Path::new("-")).is_err());
    }

    #[test]
    fn a_survey_in_a_form_is_shown_with_its_body_and_a_token_with_its_address() {
        let build = |toml: &str| {
            let config = format!(
                "name = 'generic'\n{toml}\n\
                 fields.interaction_id = {{ path = '$.id', type = 'uuid', required = true }}"
            );
            let secrets = vec![Secret::fixed(b"s&t")];
            Source::build(&toml::from_str(&config).unwrap(), secrets).unwrap()
        };
        let message = |source: &Source, url: Option<&str>| {
            let args = Args {
                url: url.map(str::to_owned),
                ..args("survey.json")
            };
            Message::new(source, "http://a", &args, b"{}", UnixMs(0)).unwrap()
        };
        let form = message(&build("preset = 'qualtrics'"), None);
        let lines = form.lines().unwrap();
        let kind = "content-type: application/x-www-form-urlencoded\n\nMSG=%7B%7D&HMAC=";
        assert!(lines.starts_with(kind), "{lines}");
        let json: serde_json::Value = serde_json::from_str(&form.json().unwrap()).unwrap();
        assert!(
            json["body"]
                .as_str()
                .unwrap()
                .starts_with("MSG=%7B%7D&HMAC=")
        );
        let curl = form.curl(Path::new("survey.json")).unwrap();
        assert!(curl.contains("--data-raw 'MSG=%7B%7D&HMAC="), "{curl}");
        assert!(
            curl.contains("-H 'content-type: application/x-www-form-urlencoded'"),
            "{curl}"
        );
        let query = build("preset = 'token'\nverify.signature = 'query:key'");
        assert_eq!(
            message(&query, None).url,
            "http://a/webhooks/generic?key=s%26t"
        );
        let elsewhere = message(&query, Some("https://b.example/w?x=1"));
        assert_eq!(elsewhere.url, "https://b.example/w?x=1&key=s%26t");
        assert_eq!(
            elsewhere.lines().unwrap(),
            "POST https://b.example/w?x=1&key=s%26t\n"
        );
    }

    #[test]
    fn an_unknown_source_is_told_with_the_known() {
        let error = run([], "http://x", &args("-")).unwrap_err().to_string();
        assert!(
            error.starts_with("no source is called `generic`"),
            "{error}"
        );
    }
}
