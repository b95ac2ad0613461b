//! Faults on demand: what shall go wrong, where, how often, and on which side of the effect.
//!
//! One flat form for the script (TOML), the control API (JSON) and Rust:
//! `{"on": "assign", "times": 3, "status": 503, "retry_after": 5}`. Which fault strikes a call is decided in
//! [`plan`]; what it does to the answer in [`shape`].

pub(super) mod plan;
pub(super) mod shape;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::de::value::StrDeserializer;
use serde::de::{Error as _, IntoDeserializer};
use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

use super::record::Operation;
use crate::units::{Size, Span};

/// The largest answer that `oversized` makes.
const MAX_OVERSIZED: u64 = 64 * 1024 * 1024;

/// How far ahead a `Retry-After` date may lie: far enough for every test, near enough for every calendar.
const MAX_DATE_IN: Duration = Duration::from_hours(366 * 24);

/// Something that shall go wrong. The first one that fits a call strikes it, those for one interaction before others.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Fault {
    /// The operation; none (or `any`): all of them.
    #[serde(
        deserialize_with = "any_or_one",
        skip_serializing_if = "Option::is_none"
    )]
    pub on: Option<Operation>,
    /// Only calls about this interaction (`state`, `assign`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interaction: Option<Uuid>,
    /// How many calls it strikes; none: until it is removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// 0 to 1; none: every call that fits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// Before the effect (nothing happens on the platform) or after it (it happened, the answer is lost or spoilt).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when: Option<When>,
    /// Waited out on the same side of the effect, before the answer; no longer than until the fault is removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency: Option<Span>,
    /// None: `status` where one is given, else `none`, which only takes the latency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// For `status` and `redirect` (302).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    #[serde(alias = "retryAfter", skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<RetryAfter>,
    /// The answer's body, as it is; for `status` and `wrong-content-type`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    #[serde(alias = "contentType", skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// For `oversized` (2 MiB).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<Size>,
    /// For `slow-body`: the time between two bytes (100 ms).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub every: Option<Span>,
    /// For `redirect`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// For `late`.
    #[serde(alias = "appearsAfter", skip_serializing_if = "Option::is_none")]
    pub appears_after: Option<Span>,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Nothing but the latency.
    None,
    /// Another status, with the given body and headers.
    Status,
    /// The connection closes without an answer.
    Drop,
    /// The connection closes in the middle of the body, short of its `Content-Length`.
    DropMidBody,
    /// A body that never was JSON.
    Malformed,
    /// JSON that ends half way, in an HTTP message that is complete.
    Truncated,
    /// JSON, but far too much of it.
    Oversized,
    /// A page for people, as a proxy would send it.
    WrongContentType,
    /// The right answer, byte by byte.
    SlowBody,
    /// To somewhere else.
    Redirect,
    /// A 2xx that lacks the event id.
    NoEventId,
    /// A write of the conversations API is answered as ever, and never takes effect.
    Lost,
    /// It takes effect twice.
    Twice,
    /// It shows on reads only after `appears_after`.
    Late,
}

/// What becomes of a write that the platform took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Fate {
    #[default]
    Once,
    Lost,
    Twice,
    Late(Duration),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum When {
    Before,
    After,
}

/// How `Retry-After` is written: seconds, or an HTTP date that far from the simulator's now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum RetryAfter {
    Seconds(u64),
    Date { date_in: Span },
}

/// Why a fault makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("fault: {0}")]
pub struct BadFault(pub String);

impl Fault {
    pub fn of(kind: Kind) -> Self {
        Self {
            kind: Some(kind),
            ..Self::default()
        }
    }

    /// An answer with this status instead of the true one.
    pub fn status(status: u16) -> Self {
        Self {
            status: Some(status),
            ..Self::of(Kind::Status)
        }
    }

    /// Nothing but a wait.
    pub fn latency(latency: Duration) -> Self {
        Self {
            latency: Some(Span(latency)),
            ..Self::of(Kind::None)
        }
    }

    #[must_use]
    pub fn on(self, operation: Operation) -> Self {
        Self {
            on: Some(operation),
            ..self
        }
    }

    #[must_use]
    pub fn about(self, interaction: Uuid) -> Self {
        Self {
            interaction: Some(interaction),
            ..self
        }
    }

    #[must_use]
    pub fn times(self, times: u32) -> Self {
        Self {
            times: Some(times),
            ..self
        }
    }

    #[must_use]
    pub fn probability(self, probability: f64) -> Self {
        Self {
            probability: Some(probability),
            ..self
        }
    }

    #[must_use]
    pub fn before(self) -> Self {
        Self {
            when: Some(When::Before),
            ..self
        }
    }

    #[must_use]
    pub fn after(self) -> Self {
        Self {
            when: Some(When::After),
            ..self
        }
    }

    #[must_use]
    pub fn retry_after(self, retry_after: RetryAfter) -> Self {
        Self {
            retry_after: Some(retry_after),
            ..self
        }
    }

    #[must_use]
    pub fn body(self, body: impl Into<String>) -> Self {
        Self {
            body: Some(body.into()),
            ..self
        }
    }

    pub fn kind(&self) -> Kind {
        match (self.kind, self.status) {
            (Some(kind), _) => kind,
            (None, Some(_)) => Kind::Status,
            (None, None) => Kind::None,
        }
    }

    /// Where it is not said: what replaces an answer strikes before the effect, what spoils one after it.
    pub fn when(&self) -> When {
        self.when.unwrap_or(match self.kind() {
            Kind::None | Kind::Status | Kind::Drop | Kind::Redirect => When::Before,
            _ => When::After,
        })
    }

    pub(super) fn fate(&self) -> Fate {
        match self.kind() {
            Kind::Lost => Fate::Lost,
            Kind::Twice => Fate::Twice,
            Kind::Late => Fate::Late(self.appears_after.map_or(Duration::ZERO, |after| after.0)),
            _ => Fate::Once,
        }
    }

    /// Says what cannot be meant, so that a typing error does not make a test pass.
    pub fn check(&self) -> Result<(), BadFault> {
        let bad = |text: &str| Err(BadFault(text.to_owned()));
        let kind = self.kind();
        let only_for = |given: bool, kinds: &[Kind]| !given || kinds.contains(&kind);
        if !only_for(self.status.is_some(), &[Kind::Status, Kind::Redirect]) {
            return bad("`status` goes with kind `status` or `redirect`");
        }
        if !only_for(self.body.is_some(), &[Kind::Status, Kind::WrongContentType]) {
            return bad("`body` goes with kind `status` or `wrong-content-type`");
        }
        if !only_for(self.size.is_some(), &[Kind::Oversized]) {
            return bad("`size` goes with kind `oversized`");
        }
        if !only_for(self.every.is_some(), &[Kind::SlowBody]) {
            return bad("`every` goes with kind `slow-body`");
        }
        if !only_for(self.location.is_some(), &[Kind::Redirect]) {
            return bad("`location` goes with kind `redirect`");
        }
        if self.appears_after.is_some() != (kind == Kind::Late) {
            return bad("kind `late` and `appears_after` go together");
        }
        if self.fate() != Fate::Once {
            if self.on != Some(Operation::Assign) {
                return bad(
                    "kinds `lost`, `twice` and `late` strike writes: say `on = \"assign\"`",
                );
            }
            if self.when() == When::Before {
                return bad("kinds `lost`, `twice` and `late` are about the effect, not before it");
            }
        }
        if kind == Kind::Status && self.status.is_none() {
            return bad("kind `status` needs a `status`");
        }
        if self
            .status
            .is_some_and(|status| !(200..=599).contains(&status))
        {
            return bad("`status` is from 200 to 599");
        }
        if self.times == Some(0) {
            return bad("`times` is at least 1; leave it out for a fault without an end");
        }
        if self.probability.is_some_and(|p| !(0.0..=1.0).contains(&p)) {
            return bad("`probability` is from 0 to 1");
        }
        if self.size.is_some_and(|size| size.0 > MAX_OVERSIZED) {
            return bad("`size` is at most 64 MiB");
        }
        if matches!(self.retry_after, Some(RetryAfter::Date { date_in }) if date_in.0 > MAX_DATE_IN)
        {
            return bad("`date_in` is at most 366 days");
        }
        if kind == Kind::None && self.latency.is_none() {
            return bad("nothing would go wrong: give a `kind`, a `status` or a `latency`");
        }
        shape::headers(self).map(|_| ())
    }
}

/// `"any"`, or one operation.
fn any_or_one<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Operation>, D::Error> {
    // Not with an untagged enum: that would not say which words there are.
    match Option::<String>::deserialize(deserializer)?.as_deref() {
        None | Some("any") => Ok(None),
        Some(word) => {
            let word: StrDeserializer<'_, serde::de::value::Error> = word.into_deserializer();
            let one = Operation::deserialize(word);
            one.map(Some)
                .map_err(|error| D::Error::custom(format!("{error}, or `any`")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_form_means_what_it_says() {
        let fault: Fault = serde_json::from_str(
            r#"{"on":"assign","times":3,"status":503,"retry_after":{"date_in":"5s"}}"#,
        )
        .unwrap();
        assert_eq!(fault.kind(), Kind::Status);
        assert_eq!(fault.when(), When::Before);
        assert_eq!(fault.on, Some(Operation::Assign));
        assert_eq!(fault.check(), Ok(()));
        let any: Fault = toml::from_str("on = 'any'\nkind = 'slow-body'\nevery = '1ms'").unwrap();
        assert_eq!((any.on, any.when()), (None, When::After));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for bad in [
            "{}",
            r#"{"kind":"status"}"#,
            r#"{"status":99}"#,
            r#"{"kind":"drop","size":"1MiB"}"#,
            r#"{"status":500,"probability":1.5}"#,
            r#"{"status":500,"times":0}"#,
            r#"{"kind":"lost"}"#,
            r#"{"kind":"late","on":"assign"}"#,
            r#"{"kind":"twice","on":"assign","when":"before"}"#,
            r#"{"status":500,"headers":{"bad name":"x"}}"#,
        ] {
            let fault: Fault = serde_json::from_str(bad).unwrap();
            assert!(fault.check().is_err(), "{bad}");
        }
        assert!(serde_json::from_str::<Fault>(r#"{"state":500}"#).is_err());
        let unknown = serde_json::from_str::<Fault>(r#"{"on":"asign","status":500}"#);
        let told = unknown.unwrap_err().to_string();
        assert!(
            told.contains("`assign`") && told.contains("or `any`"),
            "{told}"
        );
    }
}
