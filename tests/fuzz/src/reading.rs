//! Reading: every authentic body is surveys or told problems, as JSON has it, and the same when it is read again.
//!
//! An input is one byte that chooses a source, and a body.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use serde_json::value::RawValue;
use wrapup::ids::DeliveryId;
use wrapup::intake::{Reading, Source, Unreadable};
use wrapup::store::operate::Quarantined;

use super::sources::{self, MAX_BODY, NOW};

const SOURCES: [&str; 4] = [
    "[fields]
    interaction_id = { path = '$.interactionId', type = 'uuid', required = true }
    csat_score = { path = '$.csat_score', type = 'number', default = 0, min = 0, max = 5 }
    nps_score = { path = '$.nps_score', type = 'number', default = 0 }
    issue_type = { path = '$.issue_type', type = 'string', default = '', case = 'upper' }",
    "verify.id = 'path:$.event_id'
    [fields]
    interaction_id = { path = '$.form.hidden.id', type = 'uuid', required = true }
    whole = { path = '$.answers[0].value', type = 'integer' }
    filtered = { path = '$.answers[?@.ref==\"nps\"].value', type = 'number', min = -5 }
    deep = { path = '$..score', type = 'integer', take = 'last' }
    last = { path = '$.answers[-1].text', type = 'string', case = 'lower' }
    mood = { path = '$.mood', type = 'integer', map = { Great = 5, Okay = 3, \"Not Good\" = 1, 7 = 7, true = 2 } }
    done = { path = '$.done', type = 'boolean', required = true }
    at = { path = '$.at', type = 'timestamp' }
    topic = { path = \"$['to pic']\", type = 'string', one_of = ['a', 'b'], default = 'a' }",
    "items = '$[*]'
    verify.id = 'path:$.id'
    [fields]
    interaction_id = { path = '$.id', type = 'uuid', required = true }
    score = { path = '$.score', type = 'integer' }",
    "items = '$.events[*]'
    max_items = 50
    [fields]
    interaction_id = { path = '$.id', type = 'uuid', required = true }
    score = { path = '$.scores[?@.name==\"csat\"].value', type = 'number', take = 'first' }
    account = { path = '$.account.name', from = 'body', type = 'string' }
    total = { path = '$.total', from = 'body', type = 'integer' }",
];

pub fn run(data: &[u8]) {
    thread_local! {
        static ALL: OnceCell<Vec<Source>> = const { OnceCell::new() };
    }
    let Some((choice, body)) = data.split_first() else {
        return;
    };
    if body.len() > MAX_BODY {
        return;
    }
    ALL.with(|all| {
        let all = all.get_or_init(|| SOURCES.iter().copied().map(sources::unsigned).collect());
        check(&all[usize::from(*choice) % all.len()], body);
    });
}

fn check(source: &Source, body: &[u8]) {
    let readings = sources::read(source, body);
    let malformed = |reading: &Reading| {
        matches!(
            reading,
            Reading::Unreadable {
                kind: Unreadable::Malformed,
                ..
            }
        )
    };
    assert_eq!(
        !readings.iter().any(malformed),
        is_readable(body),
        "malformed is what is no JSON, or too deep, and nothing else"
    );
    if !source.reads_items() {
        assert_eq!(readings.len(), 1);
    }
    for reading in readings {
        check_again(source, &reading);
    }
}

/// JSON in UTF-8, not nested deeper than 128.
fn is_readable(body: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(body) else {
        return false;
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    // Does not recurse, and takes what a `Value` does not: numbers of any size, halves of surrogate pairs.
    serde_json::from_str::<&RawValue>(text).is_ok() && depth(text) <= 128
}

/// Of a text that is JSON.
fn depth(json: &str) -> usize {
    let (mut depth, mut most, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                most = most.max(depth);
            }
            b']' | b'}' if !in_string => depth -= 1,
            _ => {}
        }
    }
    most
}

/// What is kept of a survey says later what it said when it came.
fn check_again(source: &Source, reading: &Reading) {
    let (Reading::Survey { body, .. } | Reading::Unreadable { body, .. }) = reading;
    if source.reads_items()
        && is_like_an_item(body)
        && matches!(reading, Reading::Unreadable { .. })
    {
        // A sender's body that looks like an item as it is kept is later read as one. Nobody else can send it, and
        // what it can say by it, it could as well say in the open.
        return;
    }
    let kept = Quarantined {
        seq: 1,
        id: DeliveryId::generate(),
        source: source.name.clone(),
        accepted_at: NOW,
        body: body.clone(),
    };
    let again = source.reread(&kept);
    let same = match (reading, &*again) {
        (Reading::Survey { survey, .. }, [Reading::Survey { survey: again, .. }]) => {
            survey == again
        }
        (
            Reading::Unreadable { kind, problems, .. },
            [
                Reading::Unreadable {
                    kind: again,
                    problems: told,
                    ..
                },
            ],
        ) => kind == again && problems == told,
        _ => false,
    };
    assert!(same, "read again, it says {again:?} instead of {reading:?}");
}

fn is_like_an_item(body: &[u8]) -> bool {
    let body: Result<BTreeMap<String, &RawValue>, _> = serde_json::from_slice(body);
    body.is_ok_and(|body| body.contains_key("$item"))
}
