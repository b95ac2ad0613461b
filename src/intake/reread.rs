//! Reading a kept survey again, after the mapping was mended.
//!
//! The one place for it. What is kept was verified when it came; its headers are gone, so of its keys only an id in
//! the body can be found anew, and the store remembers the others. Invariant: reads exactly as a webhook's body is
//! read, so that a survey comes to the same whoever brings it, its sender or an operator.

use std::sync::Arc;

use super::Source;
use super::dedup::{self, Kind};
use super::reading::{Problem, Reading, Unreadable};
use super::scheme::IdSource;
use crate::rules::{Decision, RuleSet};
use crate::store::operate::Quarantined;
use crate::store::{Content, DecisionRecord};
use crate::survey::Survey;

impl Source {
    /// Reads a kept survey as this source reads today. Usually it is one; a body that was kept as a whole, because
    /// `items` was missing or wrong, may be several. Never none.
    ///
    /// The keys of a single one are those that the store does not know: an id in the body, if there is one. Each of
    /// several has keys of its own.
    pub fn reread(&self, kept: &Quarantined) -> Vec<Reading> {
        let mut readings = self.read_kept(&kept.body, kept.accepted_at);
        match &mut readings[..] {
            [] => vec![self.as_it_is(
                kept,
                "a list without a survey: nothing is lost if it is erased",
            )],
            [
                Reading::Survey {
                    keys, content_key, ..
                }
                | Reading::Unreadable {
                    keys, content_key, ..
                },
            ] => {
                // That of the content alone is none where something else counts, such as a signed id.
                keys.retain(|key| key != content_key);
                readings
            }
            [_, ..] if matches!(self.scheme.id, IdSource::Header { signed: true, .. }) => {
                // Their keys are made of an id that is not kept: a repetition would not be recognised.
                let message = "several surveys, which are known by an id in a header: have the sender send them again";
                vec![self.as_it_is(kept, message)]
            }
            [_, ..] => readings,
        }
    }

    fn as_it_is(&self, kept: &Quarantined, message: &str) -> Reading {
        let digest = dedup::digest([&*kept.body]);
        Reading::Unreadable {
            kind: Unreadable::Items,
            problems: vec![Problem::of_body(message)],
            keys: Vec::new(),
            content_key: dedup::key(&self.name, None, Kind::Content, &digest),
            body: kept.body.clone(),
        }
    }
}

/// What the rules say of a survey, and the record of both for the store.
pub fn decided(survey: &Survey, rules: &RuleSet) -> (Decision, Content) {
    let decision = rules.decide(survey);
    let content = Content::Readable {
        interaction: survey.interaction,
        fields: serde_json::to_string(&survey.fields).expect("typed values are always JSON"),
        decision: DecisionRecord {
            rule: decision.rule.clone(),
            code: decision.code.clone(),
            rules_hash: Arc::clone(rules.hash()),
            rules: Arc::clone(rules.names()),
            failures: decision.failures.clone(),
        },
    };
    (decision, content)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::dedup::key;
    use super::*;
    use crate::clock::UnixMs;
    use crate::ids::DeliveryId;
    use crate::secret::Secret;

    const INTERACTION: &str = "a1b2c3d4-e5f6-7890-abcd-ef1234567890";

    fn source(preset: &str, more: &str) -> Source {
        let config = format!(
            "name = 's'\npreset = '{preset}'\n{more}\n\
             fields.interaction_id = {{ path = '$.id', type = 'uuid', required = true }}"
        );
        let secrets = vec![Secret::fixed(b"whsec_ZGVtby1vbmx5")];
        Source::build(&toml::from_str(&config).unwrap(), secrets).unwrap()
    }

    fn kept(body: &serde_json::Value) -> Quarantined {
        Quarantined {
            seq: 1,
            id: DeliveryId::generate(),
            source: "s".into(),
            accepted_at: UnixMs(7),
            body: body.to_string().into(),
        }
    }

    fn message(reading: &Reading) -> &str {
        match reading {
            Reading::Unreadable { problems, .. } => &problems[0].message,
            Reading::Survey { .. } => panic!("{reading:?} can be read"),
        }
    }

    #[test]
    fn a_single_survey_brings_the_id_of_its_body_and_no_other_key() {
        let body = kept(&json!({"id": INTERACTION, "nr": 5}));
        let by_hash = source("hmac-sha256", "").reread(&body);
        let by_id = source("hmac-sha256", "verify.id = 'path:$.nr'").reread(&body);
        let missing = source("hmac-sha256", "verify.id = 'path:$.other'").reread(&body);
        let own = key(&"s".into(), None, Kind::Id, b"5");
        for (readings, expected) in [(by_hash, vec![]), (by_id, vec![own]), (missing, vec![])] {
            let [Reading::Survey { survey, keys, .. }] = &readings[..] else {
                panic!("{readings:?}");
            };
            assert_eq!(*keys, expected);
            assert_eq!(survey.interaction.to_string(), INTERACTION);
            assert_eq!(survey.received_at, UnixMs(7), "when it came");
        }
        let unreadable = source("hmac-sha256", "").reread(&kept(&json!({"nr": 5})));
        assert!(matches!(unreadable[..], [Reading::Unreadable { .. }]));
    }

    #[test]
    fn a_body_that_turns_out_to_be_several_gives_each_its_keys() {
        let body = kept(&json!([{"id": INTERACTION}, {"id": 1}, {"id": INTERACTION, "n": 2}]));
        let readings = source("hmac-sha256", "items = '$[*]'").reread(&body);
        let mut all = std::collections::HashSet::new();
        for reading in &readings {
            let (Reading::Survey { keys, .. } | Reading::Unreadable { keys, .. }) = reading;
            all.extend(keys.iter().copied());
        }
        assert_eq!((readings.len(), all.len()), (3, 3));
    }

    #[test]
    fn several_that_a_header_would_tell_apart_are_left_to_their_sender() {
        let body = kept(&json!([{"id": INTERACTION}, {"id": INTERACTION, "n": 2}]));
        let readings = source("standard-webhooks", "items = '$[*]'").reread(&body);
        assert_eq!(readings.len(), 1);
        assert!(message(&readings[0]).contains("have the sender send them again"));
    }

    #[test]
    fn an_empty_list_is_told_and_not_taken_for_a_survey() {
        let readings = source("hmac-sha256", "items = '$[*]'").reread(&kept(&json!([])));
        assert_eq!(readings.len(), 1);
        assert!(message(&readings[0]).contains("a list without a survey"));
    }
}
