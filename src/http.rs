//! What the outside sees: webhooks, health and metrics.
//!
//! Two listeners, served by the same hardened [`server`]: the public one takes webhooks, the admin one answers
//! operators. Invariant: every answer of ours that refuses is a [`problem`], and neither answers nor logs hold what a
//! survey said.

pub mod config;
pub mod health;
pub mod problem;
pub mod server;

pub use config::{Admin, Config};
pub use health::{Health, Readiness, Report, Scrape};
