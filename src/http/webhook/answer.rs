//! What is told about stored surveys: one object for a body that is one survey, a list for a body of several.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::value::RawValue;

use super::super::problem::{Kind, Problem};
use super::meter::Outcome;
use crate::ids::{CodeName, DeliveryId, InteractionId, RuleName};
use crate::intake::{Invalid, Source, Unreadable};

/// What became of one survey.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Told {
    Decided {
        /// `accepted` or `ignored`.
        status: &'static str,
        #[serde(rename = "deliveryId")]
        delivery: DeliveryId,
        #[serde(rename = "interactionId")]
        interaction: InteractionId,
        rule: Option<RuleName>,
        #[serde(rename = "wrapUpCode")]
        code: Option<CodeName>,
    },
    Duplicate {
        status: &'static str,
        #[serde(rename = "deliveryId")]
        delivery: DeliveryId,
    },
    Unreadable {
        status: &'static str,
        #[serde(rename = "deliveryId")]
        delivery: DeliveryId,
        problems: Box<RawValue>,
        #[serde(skip)]
        kind: Unreadable,
    },
}

#[derive(Serialize)]
struct List {
    deliveries: Vec<Told>,
}

impl Told {
    /// Whether it is a body that could not even be taken apart.
    pub(super) fn is_of_body(&self) -> bool {
        matches!(
            self,
            Self::Unreadable {
                kind: Unreadable::Malformed | Unreadable::Items,
                ..
            }
        )
    }

    fn outcome(&self) -> Outcome {
        match self {
            Self::Decided { code: Some(_), .. } => Outcome::Accepted,
            Self::Decided { code: None, .. } => Outcome::Ignored,
            Self::Duplicate { .. } => Outcome::Duplicate,
            Self::Unreadable { .. } => Outcome::Quarantined,
        }
    }
}

/// The answer to a body that was one survey.
pub(super) fn one(source: &Source, told: Told) -> (Outcome, Response) {
    let outcome = told.outcome();
    let response = match told {
        Told::Unreadable {
            delivery,
            problems,
            kind,
            ..
        } if source.invalid == Invalid::Reject => {
            let kind = match kind {
                Unreadable::Malformed => Kind::MalformedBody,
                Unreadable::Fields | Unreadable::Items => Kind::InvalidSurvey,
            };
            let problem = Problem::new(kind).delivery(delivery);
            problem.problems(problems).into_response()
        }
        Told::Duplicate { .. } => json(StatusCode::OK, &told),
        _ => json(source.ack, &told),
    };
    (outcome, response)
}

/// The answer to a body of several, of one, or of none. It counts as what is most in need of eyes.
pub(super) fn several(source: &Source, deliveries: Vec<Told>) -> (Outcome, Response) {
    let has = |outcome| deliveries.iter().any(|told| told.outcome() == outcome);
    let outcome = if has(Outcome::Quarantined) {
        Outcome::Quarantined
    } else if has(Outcome::Accepted) {
        Outcome::Accepted
    } else if has(Outcome::Duplicate) && !has(Outcome::Ignored) {
        Outcome::Duplicate
    } else {
        Outcome::Ignored
    };
    let list = List { deliveries };
    let response = match outcome {
        Outcome::Quarantined if source.invalid == Invalid::Reject => {
            let list = serde_json::value::to_raw_value(&list.deliveries).expect(PLAIN);
            let problem = Problem::new(Kind::InvalidSurvey).deliveries(list);
            problem.into_response()
        }
        Outcome::Duplicate => json(StatusCode::OK, &list),
        _ => json(source.ack, &list),
    };
    (outcome, response)
}

/// Serializing cannot fail: keys are strings, and numbers are finite.
pub(super) const PLAIN: &str = "plain strings, numbers and lists are always JSON";

fn json(status: StatusCode, answer: &impl Serialize) -> Response {
    // 204 and 205 have no body; a client may take one for the beginning of the next answer.
    if matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT) {
        return status.into_response();
    }
    let body = serde_json::to_vec(answer).expect(PLAIN);
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
