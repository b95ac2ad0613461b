//! The Interaction API's JSON, as documented. Unknown fields are ignored; missing ones are an undocumented answer.

use serde::{Deserialize, Serialize};

use crate::platform::Assignment;

/// `GET /api/v2/interactions/{id}`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Interaction {
    pub(super) state: String,
    pub(super) wrap_up_code: Option<CodeRef>,
}

#[derive(Debug, Deserialize)]
pub(super) struct CodeRef {
    pub(super) id: Option<String>,
}

/// `POST /api/v2/interactions/events`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewEvent<'a> {
    event_type: &'static str,
    interaction_id: String,
    wrap_up_code: NewCode<'a>,
    wrap_up_time: String,
}

#[derive(Debug, Serialize)]
struct NewCode<'a> {
    id: &'a str,
}

impl<'a> NewEvent<'a> {
    pub(super) fn new(wanted: &'a Assignment) -> Self {
        Self {
            event_type: "wrapup",
            interaction_id: wanted.interaction.to_string(),
            wrap_up_code: NewCode {
                id: wanted.code_id.as_str(),
            },
            wrap_up_time: wanted.wrap_up_time.to_rfc3339(),
        }
    }
}

/// The answer to it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Taken {
    pub(super) event_id: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::UnixMs;
    use crate::ids::CodeId;
    use crate::platform::assignment::tests::wanted;

    #[test]
    fn the_event_is_written_as_documented() {
        let wanted = Assignment {
            code_id: CodeId::new("c0de"),
            wrap_up_time: UnixMs(1_769_851_800_000),
            ..wanted()
        };
        assert_eq!(
            serde_json::to_string(&NewEvent::new(&wanted)).unwrap(),
            concat!(
                r#"{"eventType":"wrapup","interactionId":"a1b2c3d4-e5f6-7890-abcd-ef1234567890","#,
                r#""wrapUpCode":{"id":"c0de"},"wrapUpTime":"2026-01-31T09:30:00.000Z"}"#
            )
        );
    }
}
