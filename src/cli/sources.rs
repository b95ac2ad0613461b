//! `wrapup sources`: who sends here and to which address, and which senders are known.
//!
//! Presets are shown even where the configuration cannot be read: whoever writes it looks for one.

use std::io::Write;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::{Exit, reachable};
use crate::config::{Config, Secrets};
use crate::intake::config::Prefixes;
use crate::intake::preset::{self, Preset};
use crate::intake::{Invalid, Source, VerifyConfig};

/// List the configured sources with their webhooks, and the presets with what each expects.
///
/// Of a preset: by what its sender proves a message, what belongs into `secrets`, and what it expects of an answer.
/// Needs no secrets, and shows none.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  wrapup sources\n  wrapup sources --json | jq '.presets.typeform'"
)]
pub(super) struct Args {
    /// For scripts: one JSON object with `sources` and `presets`.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(file: &Path, args: &Args) -> anyhow::Result<Exit> {
    let loaded = super::load(file, Secrets::Wanted);
    let config = loaded.as_ref().ok().map(|loaded| &loaded.config);
    let mut text = if args.json {
        serde_json::to_string_pretty(&as_json(config)?)?
    } else {
        written(config)
    };
    text.push('\n');
    std::io::stdout().lock().write_all(text.as_bytes())?;
    loaded?;
    Ok(Exit::Ok)
}

fn as_json(config: Option<&Config>) -> anyhow::Result<Value> {
    let presets = preset::all().map(|(name, preset)| {
        let preset = serde_json::to_value(preset)?;
        Ok((name.to_owned(), preset))
    });
    let presets = presets.collect::<anyhow::Result<Map<_, _>>>()?;
    let sources = config.into_iter().flat_map(|config| {
        let sources = config.sources.iter();
        sources.map(|source| one_json(source, &url(source, config)))
    });
    let sources = sources.collect::<anyhow::Result<Vec<_>>>()?;
    Ok(json!({ "sources": sources, "presets": presets }))
}

fn one_json(source: &Source, url: &str) -> anyhow::Result<Value> {
    let words = &source.words;
    Ok(json!({
        "name": source.name.as_str(),
        "url": url,
        "preset": words.preset,
        "ack": source.ack.as_u16(),
        "invalid": source.invalid,
        "handshake": source.handshake,
        "body": words.body.as_deref().unwrap_or("json"),
        "items": words.items,
        "verify": serde_json::to_value(&words.verify)?,
    }))
}

/// Where the source's sender posts to, as far as it is known here. The path's token is a secret.
fn url(source: &Source, config: &Config) -> String {
    let base = config.server.public_url.clone();
    let base = base.unwrap_or_else(|| format!("http://{}", reachable(config.server.listen)));
    let token = if source.has_path_token() {
        "/<path_token>"
    } else {
        ""
    };
    format!("{base}/webhooks/{}{token}", source.name)
}

fn written(config: Option<&Config>) -> String {
    let mut lines = Vec::new();
    if let Some(config) = config {
        lines.push("sources".to_owned());
        for source in &config.sources {
            let words = &source.words;
            lines.push(format!("  {}", source.name));
            let mut told = vec![("webhook", format!("POST {}", url(source, config)))];
            told.extend(words.preset.clone().map(|preset| ("preset", preset)));
            told.extend(proof(&words.verify));
            told.push((
                "answers",
                answers(source.ack.as_u16(), source.invalid, source.handshake),
            ));
            told.extend(reads(words.body.as_deref(), words.items.as_deref()));
            lines.extend(told.iter().map(line));
        }
        lines.push(String::new());
    }
    lines.push("presets".to_owned());
    for (name, preset) in preset::all() {
        lines.push(format!("  {name}"));
        lines.extend(of_preset(preset).iter().map(line));
    }
    lines.join("\n")
}

fn line((key, value): &(&str, String)) -> String {
    format!("    {key:<10} {value}")
}

fn of_preset(preset: &Preset) -> Vec<(&'static str, String)> {
    let mut told = vec![("sender", preset.sender.clone())];
    told.extend(proof(&preset.verify));
    told.push(("secret", preset.secret.clone()));
    told.push((
        "answers",
        answers(
            preset.ack.unwrap_or(202),
            preset.invalid.unwrap_or_default(),
            preset.handshake.unwrap_or_default(),
        ),
    ));
    told.extend(reads(preset.body.as_deref(), preset.items.as_deref()));
    told
}

/// By what a message is proved, and what makes it another.
fn proof(verify: &VerifyConfig) -> Vec<(&'static str, String)> {
    let said = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let algorithm = said(&verify.algorithm).unwrap_or_default();
    let mut told = vec![("algorithm", algorithm.clone())];
    if algorithm != "none" {
        let mut place = vec![said(&verify.signature).unwrap_or_default()];
        let signs = algorithm != "token";
        place.extend(verify.encoding.filter(|_| signs).map(|it| word(&it)));
        let prefixes = verify.prefix.iter().flat_map(Prefixes::list);
        let prefixes: Vec<_> = prefixes.map(|prefix| format!("{prefix:?}")).collect();
        if !prefixes.is_empty() {
            place.push(format!("prefix {}", prefixes.join(" or ")));
        }
        place.extend(said(&verify.separator).map(|by| format!("separated by {by:?}")));
        let place = place.join(", ");
        told.push((if signs { "signature" } else { "token" }, place));
        if signs {
            let content = said(&verify.content).unwrap_or_else(|| "{body}".to_owned());
            told.push(("content", content));
        }
    }
    if let Some(timestamp) = said(&verify.timestamp) {
        let format = word(&verify.timestamp_format.unwrap_or_default());
        let tolerance = verify
            .tolerance
            .map_or("5m".to_owned(), |it| it.to_string());
        told.push((
            "timestamp",
            format!("{timestamp}, {format}, within {tolerance}"),
        ));
    }
    told.push(("id", said(&verify.id).unwrap_or_else(|| "hash".to_owned())));
    told
}

fn answers(ack: u16, invalid: Invalid, handshake: bool) -> String {
    let invalid = match invalid {
        Invalid::Reject => "400 or 422",
        Invalid::Accept => "the same",
    };
    let handshake = if handshake {
        "; 200 to GET and HEAD"
    } else {
        ""
    };
    format!("{ack}; {invalid} to what cannot be read{handshake}")
}

fn reads(body: Option<&str>, items: Option<&str>) -> Vec<(&'static str, String)> {
    let body = body.map(|body| ("body", body.to_owned()));
    let items = items.map(|items| ("items", format!("{items}, each a survey")));
    body.into_iter().chain(items).collect()
}

/// As the configuration writes it.
fn word(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => word,
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(name: &str) -> String {
        let (_, preset) = preset::all().find(|(known, _)| *known == name).unwrap();
        let lines: Vec<_> = of_preset(preset).iter().map(line).collect();
        lines.join("\n")
    }

    #[test]
    fn a_preset_says_all_that_its_sender_expects() {
        assert_eq!(
            told("stripe"),
            "    sender     Stripe, and senders in its style\n    \
             algorithm  hmac-sha256\n    \
             signature  header:stripe-signature, hex, prefix \"v1=\", separated by \",\"\n    \
             content    {timestamp}.{body}\n    \
             timestamp  item:t=, unix, within 5m\n    \
             id         path:$.id\n    \
             secret     the endpoint's secret as text, `whsec_` included: it is not decoded\n    \
             answers    202; 400 or 422 to what cannot be read"
        );
        let smart = told("smartsurvey");
        for expected in [
            "answers    200; the same to what cannot be read",
            "items      $[*], each a survey",
        ] {
            assert!(smart.contains(expected), "{smart}");
        }
        let qualtrics = told("qualtrics");
        assert!(qualtrics.contains("200 to GET and HEAD"), "{qualtrics}");
        assert!(qualtrics.contains("body       form:MSG"), "{qualtrics}");
        let token = told("token");
        assert!(token.contains("token      bearer\n"), "{token}");
        assert!(!token.contains("content "), "{token}");
    }

    #[test]
    fn presets_are_listed_without_a_configuration() {
        let all = as_json(None).unwrap();
        assert_eq!(
            all["presets"].as_object().unwrap().len(),
            preset::all().count()
        );
        assert_eq!(all["presets"]["svix"]["verify"]["id"], "header:svix-id");
        assert_eq!(all["sources"], json!([]));
        assert!(written(None).starts_with("presets\n  delighted\n"));
    }
}
