//! What a fault does to an answer.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::{BadFault, Fault, Kind, RetryAfter};
use crate::clock::UnixMs;
use crate::simulator::answer::{Answer, HangUp, http_date};

const DEFAULT_OVERSIZED: u64 = 2 * 1024 * 1024;
const DEFAULT_TRICKLE: Duration = Duration::from_millis(100);
const PAGE_FOR_PEOPLE: &str = "<!doctype html><title>Sign in</title><h1>Please sign in</h1>";

/// The response that goes out, and the status it carries; none where there is no answer at all.
pub(in crate::simulator) fn shape(
    fault: &Fault,
    answer: Answer,
    now: UnixMs,
) -> (Response, Option<StatusCode>) {
    if fault.kind() == Kind::Drop {
        let mut response = Response::new(Body::empty());
        response.extensions_mut().insert(HangUp);
        return (response, None);
    }
    let mut shaped = Answer {
        headers: Vec::new(),
        ..answer.clone()
    };
    let mut body = None;
    match fault.kind() {
        Kind::None | Kind::Drop | Kind::Lost | Kind::Twice | Kind::Late => shaped = answer,
        Kind::Status => {
            let status = status_of(fault, StatusCode::INTERNAL_SERVER_ERROR);
            shaped = Answer::error(status, "simulated", "a simulated fault");
            if let Some(body) = &fault.body {
                shaped.body = Bytes::from(body.clone());
            }
        }
        Kind::Redirect => {
            shaped.status = status_of(fault, StatusCode::FOUND);
            shaped.body = Bytes::new();
        }
        Kind::DropMidBody => body = Some(cut_short(&shaped.body)),
        Kind::SlowBody => {
            let every = fault.every.map_or(DEFAULT_TRICKLE, |every| every.0);
            body = Some(trickle(shaped.body.clone(), every));
        }
        Kind::Malformed => shaped.body = Bytes::from_static(b"{\"eventId\": oops, not JSON"),
        Kind::Truncated => shaped.body.truncate(shaped.body.len() / 2),
        Kind::Oversized => shaped.body = oversized(fault),
        Kind::WrongContentType => {
            let page = fault.body.as_deref().unwrap_or(PAGE_FOR_PEOPLE);
            shaped.body = Bytes::from(page.to_owned());
        }
        Kind::NoEventId => shaped.body = Bytes::from_static(b"{\"status\":\"ok\"}"),
    }
    let (status, length) = (shaped.status, shaped.body.len());
    let mut response = shaped.into_response();
    if let Some(body) = body {
        *response.body_mut() = body;
        response
            .headers_mut()
            .insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    if fault.kind() == Kind::WrongContentType {
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
    }
    let extra = headers(fault).expect("checked when the fault was added");
    response.headers_mut().extend(extra);
    if let Some(RetryAfter::Date { date_in }) = fault.retry_after {
        response
            .headers_mut()
            .insert(RETRY_AFTER, http_date(now + date_in.0));
    }
    (response, Some(status))
}

/// The headers that a fault adds, but for a `Retry-After` that depends on the moment.
pub(super) fn headers(fault: &Fault) -> Result<HeaderMap, BadFault> {
    let mut all = HeaderMap::new();
    let value = |text: &str| {
        HeaderValue::from_str(text)
            .map_err(|cause| BadFault(format!("a header's value cannot be sent: {cause}")))
    };
    if let Some(location) = &fault.location {
        all.insert(LOCATION, value(location)?);
    } else if fault.kind() == Kind::Redirect {
        all.insert(LOCATION, HeaderValue::from_static("/elsewhere"));
    }
    if let Some(kind) = &fault.content_type {
        all.insert(CONTENT_TYPE, value(kind)?);
    }
    if let Some(RetryAfter::Seconds(seconds)) = fault.retry_after {
        all.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    for (name, text) in &fault.headers {
        let name: HeaderName = name
            .parse()
            .map_err(|cause| BadFault(format!("a header's name cannot be sent: {cause}")))?;
        all.insert(name, value(text)?);
    }
    Ok(all)
}

fn status_of(fault: &Fault, default: StatusCode) -> StatusCode {
    fault
        .status
        .and_then(|status| StatusCode::from_u16(status).ok())
        .unwrap_or(default)
}

/// Half of it, then the connection breaks.
fn cut_short(whole: &Bytes) -> Body {
    let half = whole.slice(..whole.len() / 2);
    Body::from_stream(stream::unfold(Some(half), async |half| {
        if let Some(half) = half {
            return Some((Ok(half), None));
        }
        // Lets the server write what it has: an error in the same breath would swallow the half as well.
        tokio::task::yield_now().await;
        Some((Err(io::Error::other("cut short on purpose")), None))
    }))
}

/// One byte at a time.
fn trickle(whole: Bytes, every: Duration) -> Body {
    Body::from_stream(stream::unfold(whole, move |mut rest| async move {
        if rest.is_empty() {
            return None;
        }
        tokio::time::sleep(every).await;
        let byte = rest.split_to(1);
        Some((Ok::<_, Infallible>(byte), rest))
    }))
}

fn oversized(fault: &Fault) -> Bytes {
    let size = fault.size.map_or(DEFAULT_OVERSIZED, |size| size.0);
    let padding = "x".repeat(usize::try_from(size).unwrap_or(0));
    Bytes::from(format!("{{\"padding\":\"{padding}\"}}"))
}
