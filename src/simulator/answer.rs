//! An answer of the simulated platform before it becomes an HTTP response, and the form of its errors.

use std::collections::BTreeMap;
use std::time::{Duration, UNIX_EPOCH};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, StatusCode};
use http_body::Body as _;
use serde::Serialize;
use uuid::Uuid;

use crate::clock::UnixMs;

/// Marks a response that shall never be sent: the server closes the connection instead.
#[derive(Clone, Copy, Debug)]
pub(super) struct HangUp;

/// The [`Answer::context`] of a response.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context(pub(super) Uuid);

/// Status, headers and a JSON body.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    /// What support would ask for: in an error's body, and in a header where the API has one.
    pub(super) context: Uuid,
    pub(super) status: StatusCode,
    /// A list, not a map: an answer has one or two, and is passed about as an error.
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) body: Bytes,
}

/// The platform's error body.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ErrorBody<'a> {
    message: &'a str,
    code: &'a str,
    status: u16,
    message_with_params: &'a str,
    message_params: BTreeMap<&'a str, &'a str>,
    context_id: Uuid,
    details: [(); 0],
    errors: [(); 0],
}

impl Answer {
    pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Self {
        let body = serde_json::to_vec(body).expect("plain data is always JSON");
        Self::of(status, Bytes::from(body))
    }

    /// What a spoilt answer is made of where the call had no effect.
    pub(super) fn empty() -> Self {
        Self::of(StatusCode::OK, Bytes::from_static(b"{}"))
    }

    /// A status and no body at all.
    pub(super) fn bare(status: StatusCode) -> Self {
        Self::of(status, Bytes::new())
    }

    fn of(status: StatusCode, body: Bytes) -> Self {
        Self {
            context: Uuid::new_v4(),
            status,
            headers: Vec::new(),
            body,
        }
    }

    pub(super) fn error(status: StatusCode, code: &str, message: &str) -> Self {
        Self::error_about(status, code, message, &[])
    }

    /// `params` are what stands in the message by name.
    pub(super) fn error_about(
        status: StatusCode,
        code: &str,
        message: &str,
        params: &[(&str, &str)],
    ) -> Self {
        let mut answer = Self::bare(status);
        let body = ErrorBody {
            message,
            code,
            status: status.as_u16(),
            message_with_params: message,
            message_params: params.iter().copied().collect(),
            context_id: answer.context,
            details: [],
            errors: [],
        };
        answer.body = Bytes::from(serde_json::to_vec(&body).expect("plain data is always JSON"));
        answer
    }

    pub(super) fn bad_request(message: &str) -> Self {
        Self::error(StatusCode::BAD_REQUEST, "bad.request", message)
    }

    pub(super) fn unauthorized(message: &str) -> Self {
        Self::error(StatusCode::UNAUTHORIZED, "bad.credentials", message)
            .with(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
    }

    pub(super) fn not_found(message: &str) -> Self {
        Self::error(StatusCode::NOT_FOUND, "not.found", message)
    }

    /// Over a limit. Coming back before `room_in` would be refused again.
    pub(super) fn too_many(code: &str, room_in: Duration) -> Self {
        let message = "Rate limit exceeded the maximum; see Retry-After.";
        Self::error(StatusCode::TOO_MANY_REQUESTS, code, message).with(
            RETRY_AFTER,
            HeaderValue::from(whole_seconds(room_in).max(1)),
        )
    }

    pub(super) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(super) fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        response.extensions_mut().insert(Context(self.context));
        response.headers_mut().extend(self.headers);
        if response.body().size_hint().exact() != Some(0) {
            response
                .headers_mut()
                .entry(CONTENT_TYPE)
                .or_insert(HeaderValue::from_static("application/json"));
        }
        response
    }
}

/// Rounded up.
pub(super) fn whole_seconds(span: Duration) -> u64 {
    span.as_secs() + u64::from(span.subsec_nanos() > 0)
}

/// A moment as HTTP headers have it, to the second.
pub(super) fn http_date(at: UnixMs) -> HeaderValue {
    let since_epoch = at.since(UnixMs(0));
    HeaderValue::from_str(&httpdate::fmt_http_date(UNIX_EPOCH + since_epoch))
        .expect("an HTTP date is ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_never_sends_the_caller_back_too_early() {
        for (room_in_ms, seconds) in [(1, "1"), (1000, "1"), (1001, "2")] {
            let answer = Answer::too_many("x", Duration::from_millis(room_in_ms));
            let sent = answer.into_response();
            assert_eq!(sent.headers()[RETRY_AFTER], seconds);
        }
    }
}
