//! Refusals as RFC 9457 `application/problem+json`, one shape from every layer of ours.
//!
//! `type` is stable (`urn:wrapup:problem:<slug>`), `detail` says what to do. Never holds a value of a survey, and
//! never says to somebody unauthenticated why a signature did not pass.

use std::any::Any;
use std::borrow::Cow;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{
    ACCEPT_ENCODING, ALLOW, CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE,
};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::ids::DeliveryId;

/// What is wrong. Each has one slug, one title and one status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    NotFound,
    UnknownSource,
    /// With the methods for `Allow`.
    MethodNotAllowed(&'static str),
    UnsupportedMediaType,
    UnsupportedEncoding,
    BodyTooLarge,
    BodyTimeout,
    /// The client closed its side, or broke its own framing, before the body was complete.
    BodyIncomplete,
    Unauthorized,
    /// Authentic, but not UTF-8, not JSON or nested too deep.
    MalformedBody,
    /// Authentic JSON whose fields cannot be read.
    InvalidSurvey,
    Overloaded,
    ShuttingDown,
    StoreFull,
    StoreUnavailable,
    Internal,
}

impl Kind {
    pub fn status(self) -> StatusCode {
        match self {
            Self::NotFound | Self::UnknownSource => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::UnsupportedMediaType | Self::UnsupportedEncoding => {
                StatusCode::UNSUPPORTED_MEDIA_TYPE
            }
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::BodyIncomplete | Self::MalformedBody => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::InvalidSurvey => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Overloaded | Self::ShuttingDown | Self::StoreFull | Self::StoreUnavailable => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn urn(self) -> &'static str {
        match self {
            Self::NotFound => "urn:wrapup:problem:not-found",
            Self::UnknownSource => "urn:wrapup:problem:unknown-source",
            Self::MethodNotAllowed(_) => "urn:wrapup:problem:method-not-allowed",
            Self::UnsupportedMediaType => "urn:wrapup:problem:unsupported-media-type",
            Self::UnsupportedEncoding => "urn:wrapup:problem:unsupported-encoding",
            Self::BodyTooLarge => "urn:wrapup:problem:body-too-large",
            Self::BodyTimeout => "urn:wrapup:problem:body-timeout",
            Self::BodyIncomplete => "urn:wrapup:problem:body-incomplete",
            Self::Unauthorized => "urn:wrapup:problem:unauthorized",
            Self::MalformedBody => "urn:wrapup:problem:malformed-body",
            Self::InvalidSurvey => "urn:wrapup:problem:invalid-survey",
            Self::Overloaded => "urn:wrapup:problem:overloaded",
            Self::ShuttingDown => "urn:wrapup:problem:shutting-down",
            Self::StoreFull => "urn:wrapup:problem:store-full",
            Self::StoreUnavailable => "urn:wrapup:problem:store-unavailable",
            Self::Internal => "urn:wrapup:problem:internal",
        }
    }

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::NotFound => "There is nothing here",
            Self::UnknownSource => "No such source",
            Self::MethodNotAllowed(_) => "This method is not taken here",
            Self::UnsupportedMediaType => "This content type is not taken here",
            Self::UnsupportedEncoding => "This content encoding is not taken here",
            Self::BodyTooLarge => "The body is too large",
            Self::BodyTimeout => "The body did not arrive in time",
            Self::BodyIncomplete => "The body is incomplete",
            Self::Unauthorized => "The request is not authenticated",
            Self::MalformedBody => "The body is not readable JSON",
            Self::InvalidSurvey => "The survey cannot be read",
            Self::Overloaded => "Too many requests are in progress",
            Self::ShuttingDown => "The service is shutting down",
            Self::StoreFull => "The store is full",
            Self::StoreUnavailable => "The store cannot be written",
            Self::Internal => "The service made a mistake",
        }
    }

    /// What the reader of the answer can do about it. None for a failed signature: the reason is in our log.
    fn detail(self) -> Option<&'static str> {
        Some(match self {
            Self::NotFound => "Surveys are taken at POST /webhooks/{source}.",
            Self::UnknownSource => {
                "Use the name of a [[source]] of the configuration as the last part of the path."
            }
            Self::MethodNotAllowed(_) => "Use one of the methods in the Allow header.",
            Self::UnsupportedMediaType => {
                "Send a content type that the source takes, such as application/json."
            }
            Self::UnsupportedEncoding => {
                "Send the body as it is, or compressed with one of the encodings in Accept-Encoding."
            }
            Self::BodyTooLarge => {
                "Send less, or have server.max_body raised; it holds for what a compressed body becomes, too."
            }
            Self::BodyTimeout => "Send the whole body within server.request_timeout.",
            Self::BodyIncomplete => "Send the whole body, with the length or chunks it announces.",
            Self::Unauthorized => return None,
            Self::MalformedBody => {
                "Send UTF-8 JSON, nested at most 128 deep. The survey is kept for an operator to look at."
            }
            Self::InvalidSurvey => {
                "Send each field as `problems` says, or have the source's mapping mended. The survey is kept for an \
                 operator to look at."
            }
            Self::Overloaded | Self::ShuttingDown | Self::StoreUnavailable => {
                "Send the same request again after the time in Retry-After."
            }
            Self::StoreFull => {
                "Send the same request again later: deliveries wait for the platform, or for an operator."
            }
            Self::Internal => "Send the same request again; the service's log has the reason.",
        })
    }

    /// Seconds after which to try again, for what is our own trouble: longer where it takes longer to mend.
    fn retry_after(self) -> Option<&'static str> {
        match self {
            Self::Overloaded => Some("1"),
            Self::ShuttingDown | Self::StoreUnavailable => Some("5"),
            Self::StoreFull => Some("30"),
            _ => None,
        }
    }
}

/// A refusal on its way to the client.
#[derive(Debug, Serialize)]
pub struct Problem {
    #[serde(skip)]
    kind: Kind,
    #[serde(rename = "type")]
    urn: &'static str,
    title: &'static str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<Cow<'static, str>>,
    #[serde(rename = "deliveryId", skip_serializing_if = "Option::is_none")]
    delivery: Option<DeliveryId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problems: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deliveries: Option<Box<RawValue>>,
}

impl Problem {
    pub fn new(kind: Kind) -> Self {
        Self {
            kind,
            urn: kind.urn(),
            title: kind.title(),
            status: kind.status().as_u16(),
            detail: kind.detail().map(Cow::Borrowed),
            delivery: None,
            problems: None,
            deliveries: None,
        }
    }

    /// Says more precisely what to do. Must hold nothing that the client sent.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// The survey is kept under this id.
    #[must_use]
    pub fn delivery(mut self, id: DeliveryId) -> Self {
        self.delivery = Some(id);
        self
    }

    /// Everything that is wrong with the fields: a JSON array.
    #[must_use]
    pub fn problems(mut self, problems: Box<RawValue>) -> Self {
        self.problems = Some(problems);
        self
    }

    /// What became of each survey of a body of several: a JSON array.
    #[must_use]
    pub fn deliveries(mut self, deliveries: Box<RawValue>) -> Self {
        self.deliveries = Some(deliveries);
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self).expect("a problem is plain strings and numbers");
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.kind.status();
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some(seconds) = self.kind.retry_after() {
            headers.insert(RETRY_AFTER, HeaderValue::from_static(seconds));
        }
        match self.kind {
            Kind::MethodNotAllowed(allow) => {
                headers.insert(ALLOW, HeaderValue::from_static(allow));
            }
            // RFC 9110, 12.5.3: so that a sender can find out why it is this 415.
            Kind::UnsupportedEncoding => {
                let taken = HeaderValue::from_static("gzip, deflate");
                headers.insert(ACCEPT_ENCODING, taken);
            }
            // RFC 9110 wants a challenge with each 401, and some clients fail to read the answer without one.
            Kind::Unauthorized => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Signature"));
            }
            Kind::ShuttingDown => {
                headers.insert(CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
        response
    }
}

/// For `CatchPanic`: the panic's text may hold anything, so it goes nowhere but to the panic hook.
pub fn after_panic(_: Box<dyn Any + Send>) -> Response {
    tracing::error!("a request's handler panicked");
    Problem::new(Kind::Internal).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: Kind, status: u16, header: Option<(&str, &str)>) {
        let response = Problem::new(kind).into_response();
        assert_eq!(response.status().as_u16(), status, "{kind:?}");
        assert_eq!(
            response.headers().get(CONTENT_TYPE).unwrap(),
            "application/problem+json"
        );
        if let Some((name, value)) = header {
            assert_eq!(response.headers().get(name).unwrap(), value, "{kind:?}");
        }
    }

    #[test]
    fn each_kind_has_its_status_and_headers() {
        check(Kind::UnknownSource, 404, None);
        check(Kind::MethodNotAllowed("POST"), 405, Some(("allow", "POST")));
        check(
            Kind::UnsupportedEncoding,
            415,
            Some(("accept-encoding", "gzip, deflate")),
        );
        check(Kind::BodyTooLarge, 413, None);
        check(Kind::Overloaded, 503, Some(("retry-after", "1")));
        check(Kind::StoreFull, 503, Some(("retry-after", "30")));
        check(Kind::ShuttingDown, 503, Some(("connection", "close")));
    }

    #[test]
    fn a_failed_signature_gets_no_detail() {
        let text = serde_json::to_string(&Problem::new(Kind::Unauthorized)).unwrap();
        assert_eq!(
            text,
            r#"{"type":"urn:wrapup:problem:unauthorized","title":"The request is not authenticated","status":401}"#
        );
    }
}
