//! The surveys of the demo, and what must come of each. Pure.

use rand::RngExt;
use uuid::Uuid;

/// How a sample is sent, or what it meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Twist {
    None,
    /// The same bytes a second time.
    Again,
    /// Signed with another secret.
    Forged,
    /// The interaction's id is missing.
    Unreadable,
    /// The platform's first answer is 429 with `Retry-After: 1`.
    RateLimited,
    /// The platform does as it was told, but its answer is lost.
    AnswerLost,
}

/// One survey to be posted.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) title: &'static str,
    pub(super) interaction: Uuid,
    pub(super) twist: Twist,
    pub(super) body: String,
    /// The status that the service must answer with.
    pub(super) status: u16,
    /// The code that must come to stand on the interaction.
    pub(super) code: Option<&'static str>,
}

const SUCCESS: &str = "WU_PROMPT_SUCCESS";

/// Every kind once, in the order they are shown.
pub(super) fn all() -> Vec<Sample> {
    let first = survey("a promoter", 10, 5, "billing", SUCCESS);
    let again = Sample {
        title: "the same survey again",
        twist: Twist::Again,
        status: 200,
        code: None,
        ..first.clone()
    };
    let with = |twist, title, sample: Sample| Sample {
        title,
        twist,
        ..sample
    };
    let plain = || survey("", 9, 4, "billing", SUCCESS);
    let unreadable = Sample {
        body: r#"{"csat_score":5,"nps_score":"many","issue_type":"billing"}"#.to_owned(),
        status: 422,
        code: None,
        ..with(Twist::Unreadable, "no interaction id", plain())
    };
    let mut forged = with(Twist::Forged, "a forged signature", plain());
    (forged.status, forged.code) = (401, None);
    vec![
        first,
        again,
        survey("a detractor", 2, 1, "delivery", "WU_PROMPT_ESCALATION"),
        survey(
            "a technical issue",
            8,
            3,
            "technical",
            "WU_PROMPT_TECH_ISSUE",
        ),
        survey("everything else", 7, 3, "delivery", "WU_PROMPT_GENERAL"),
        forged,
        unreadable,
        with(Twist::RateLimited, "platform: slow down (429)", plain()),
        with(Twist::AnswerLost, "platform: answer lost", plain()),
    ]
}

/// A good survey with scores by chance.
pub(super) fn random() -> Sample {
    let mut rng = rand::rng();
    match rng.random_range(0..4) {
        0 => survey(
            "a promoter",
            rng.random_range(9..=10),
            rng.random_range(4..=5),
            "billing",
            SUCCESS,
        ),
        1 => survey(
            "a detractor",
            rng.random_range(0..=6),
            rng.random_range(1..=5),
            "billing",
            "WU_PROMPT_ESCALATION",
        ),
        2 => survey(
            "a technical issue",
            rng.random_range(7..=8),
            3,
            "Technical",
            "WU_PROMPT_TECH_ISSUE",
        ),
        _ => survey(
            "everything else",
            rng.random_range(7..=8),
            3,
            "delivery",
            "WU_PROMPT_GENERAL",
        ),
    }
}

fn survey(title: &'static str, nps: u8, csat: u8, issue: &str, code: &'static str) -> Sample {
    let interaction = Uuid::new_v4();
    let body = format!(
        r#"{{"interactionId":"{interaction}","csat_score":{csat},"nps_score":{nps},"issue_type":"{issue}"}}"#
    );
    Sample {
        title,
        interaction,
        twist: Twist::None,
        body,
        status: 202,
        code: Some(code),
    }
}
