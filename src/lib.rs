//! The map of `wrapup`.
pub mod cli;
pub mod clock;
pub mod codes;
pub mod config;
pub mod delivery;
pub mod http;
pub mod ids;
pub mod intake;
pub mod lifecycle;
pub mod metrics;
pub mod platform;
pub mod rules;
pub mod secret;
pub mod store;
pub mod survey;
pub mod telemetry;
pub mod units;
