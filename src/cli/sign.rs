//! `wrapup sign`: what a sender would send with a payload, to try a source out.
//!
//! Signs only, sends nothing: the printed command does that.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use http::HeaderName;
use uuid::Uuid;

use super::Exit;
use crate::clock::{Clock, UnixMs};
use crate::intake::Source;

/// More than any source takes; a larger payload is a mistake in the file's name.
const MAX_PAYLOAD: u64 = 64 * 1024 * 1024;

/// Print the headers that a source's sender would send with a payload.
///
/// They are signed with the source's secret and, where its scheme has a timestamp, good for its tolerance only.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  wrapup sign generic survey.json --curl | sh\n  \
                  echo '{\"nps_score\":10}' | wrapup sign generic -"
)]
pub(super) struct Args {
    /// The source's name, as in `[[source]]`.
    pub(super) source: String,
    /// The payload's file, or - for standard input.
    payload: PathBuf,
    /// The message's id, where the source has one in a header; a new one by default.
    #[arg(long)]
    id: Option<String>,
    /// Which of the source's secrets signs, counted from 0.
    #[arg(long, default_value_t = 0, value_name = "N")]
    secret: usize,
    /// Where the source's webhook is; by default at this configuration's address.
    #[arg(long)]
    url: Option<String>,
    /// Print a command that posts the payload.
    #[arg(long, conflicts_with = "json")]
    curl: bool,
    /// For scripts: one JSON object with `method`, `url` and `headers`.
    #[arg(long)]
    json: bool,
}

/// Finds the source and signs. `base` is the public listener's address, without a slash at its end.
pub(super) fn run<'a>(
    sources: impl IntoIterator<Item = &'a Source>,
    base: &str,
    args: &Args,
) -> anyhow::Result<Exit> {
    let sources: Vec<_> = sources.into_iter().collect();
    let named = sources
        .iter()
        .find(|source| source.name.as_str() == args.source);
    let source = named.with_context(|| {
        let known: Vec<_> = sources.iter().map(|source| source.name.as_str()).collect();
        format!(
            "no source is called `{}`; there are {}",
            args.source,
            known.join(", ")
        )
    })?;
    let body = payload(&args.payload)?;
    let message = Message::new(source, base, args, &body, Clock::system().now())?;
    let text = if args.curl {
        message.curl(&args.payload, &body)?
    } else if args.json {
        message.json()
    } else {
        message.lines()
    };
    std::io::stdout().lock().write_all(text.as_bytes())?;
    Ok(Exit::Ok)
}

fn is_stdin(payload: &Path) -> bool {
    payload.as_os_str() == "-"
}

fn payload(path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut body = Vec::new();
    let named = || format!("the payload {} cannot be read", path.display());
    let read = if is_stdin(path) {
        std::io::stdin()
            .lock()
            .take(MAX_PAYLOAD + 1)
            .read_to_end(&mut body)
    } else {
        let file = std::fs::File::open(path).with_context(named)?;
        file.take(MAX_PAYLOAD + 1).read_to_end(&mut body)
    };
    let len = u64::try_from(read.with_context(named)?)?;
    ensure!(
        len <= MAX_PAYLOAD,
        "the payload {} is over 64 MiB",
        path.display()
    );
    Ok(body)
}

/// A signed request, all but its body.
#[derive(Debug)]
struct Message {
    url: String,
    headers: Vec<(HeaderName, String)>,
}

impl Message {
    fn new(
        source: &Source,
        base: &str,
        args: &Args,
        body: &[u8],
        now: UnixMs,
    ) -> anyhow::Result<Self> {
        let id = match &args.id {
            Some(id) => id.clone(),
            None => format!("msg_{}", Uuid::now_v7().simple()),
        };
        let url = match &args.url {
            Some(url) => url.clone(),
            None => format!("{base}/webhooks/{}", source.name),
        };
        let headers = source.sign(args.secret, body, now, &id)?;
        Ok(Self { url, headers })
    }

    fn lines(&self) -> String {
        let lines = self
            .headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}\n"));
        lines.collect()
    }

    fn json(&self) -> String {
        let headers: serde_json::Map<_, _> = (self.headers.iter())
            .map(|(name, value)| (name.to_string(), value.clone().into()))
            .collect();
        let mut text =
            serde_json::json!({"method": "POST", "url": self.url, "headers": headers}).to_string();
        text.push('\n');
        text
    }

    /// A command for a POSIX shell. The payload is sent byte by byte: from its file, or as it was read.
    fn curl(&self, payload: &Path, body: &[u8]) -> anyhow::Result<String> {
        let mut words = vec![
            format!("curl -sS -X POST {}", quoted(&self.url)),
            "-H 'content-type: application/json'".to_owned(),
        ];
        for (name, value) in &self.headers {
            words.push(format!("-H {}", quoted(&format!("{name}: {value}"))));
        }
        let data = if is_stdin(payload) {
            match str::from_utf8(body) {
                // `--data-raw`, because the other forms take a leading @ for a file's name.
                Ok(body) if !body.contains('\0') => format!("--data-raw {}", quoted(body)),
                _ => bail!("the payload cannot be written into a command: give it as a file"),
            }
        } else {
            let Some(path) = payload.to_str() else {
                bail!("the payload's name cannot be written into a command: it is not UTF-8");
            };
            format!("--data-binary {}", quoted(&format!("@{path}")))
        };
        words.push(data);
        Ok(words.join(" \\\n  ") + "\n")
    }
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
            secret: 0,
            url: None,
            curl: false,
            json: false,
        }
    }

    const BODY: &[u8] = b"{\"test\": 2432232314}";

    #[test]
    fn headers_are_those_of_the_published_vector() {
        assert_eq!(
            message(&args("-"), BODY).lines(),
            "webhook-id: msg_p5jXN8AQM9LWM0D4loKWxJek\n\
             webhook-timestamp: 1614265330\n\
             webhook-signature: v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=\n"
        );
        let json: serde_json::Value =
            serde_json::from_str(&message(&args("-"), BODY).json()).unwrap();
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
            message(&args, BODY).headers[0],
            message(&args, BODY).headers[0]
        );
    }

    #[test]
    fn the_command_names_the_file_or_holds_the_payload() {
        let args = Args {
            url: Some("https://a.example/x?y&z".to_owned()),
            ..args("it's.json")
        };
        let text = message(&args, BODY).curl(&args.payload, BODY).unwrap();
        assert!(
            text.starts_with("curl -sS -X POST 'https://a.example/x?y&z' \\\n"),
            "{text}"
        );
        assert!(
            text.ends_with("  --data-binary '@it'\\''s.json'\n"),
            "{text}"
        );
        let body = b"@{\"a\": \"it's\"}\n";
        let inline = message(&args, body).curl(Path::new("-"), body).unwrap();
        assert!(
            inline.ends_with("  --data-raw '@{\"a\": \"it'\\''s\"}\n'\n"),
            "{inline}"
        );
        assert!(
            message(&args, b"\xff")
                .curl(Path::new("-"), b"\xff")
                .is_err()
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
