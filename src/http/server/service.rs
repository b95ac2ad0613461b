//! The router as hyper calls it: each request counts as in flight until its response body is dropped.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use axum::routing::future::RouteFuture;
use bytes::Bytes;
use http::Request;
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use pin_project_lite::pin_project;

use super::activity::{Activity, InFlight};

#[derive(Debug)]
pub(super) struct Counted {
    router: Router,
    activity: Arc<Activity>,
}

impl Counted {
    pub(super) fn new(router: Router, activity: Arc<Activity>) -> Self {
        Self { router, activity }
    }
}

impl hyper::service::Service<Request<Incoming>> for Counted {
    type Response = http::Response<CountedBody>;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, request: Request<Incoming>) -> Answering {
        let guard = self.activity.begin();
        // A router is always ready, and cloning it is one reference more.
        let route = tower::Service::call(&mut self.router.clone(), request.map(Body::new));
        Answering {
            route,
            guard: Some(guard),
        }
    }
}

pin_project! {
    pub(super) struct Answering {
        #[pin]
        route: RouteFuture<Infallible>,
        guard: Option<InFlight>,
    }
}

impl Future for Answering {
    type Output = Result<http::Response<CountedBody>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response: Response = match ready!(this.route.poll(cx)) {
            Ok(response) => response,
            Err(never) => match never {},
        };
        let guard = this.guard.take();
        Poll::Ready(Ok(response.map(|body| CountedBody { body, guard })))
    }
}

pin_project! {
    pub(super) struct CountedBody {
        #[pin]
        body: Body,
        // Only held: the request ends when hyper drops its response body, sent or given up.
        guard: Option<InFlight>,
    }
}

impl http_body::Body for CountedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.project().body.poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
