//! The map of `wrapup`.
pub mod clock;
pub mod codes;
pub mod ids;
pub mod lifecycle;
pub mod metrics;
pub mod platform;
pub mod secret;
pub mod store;
pub mod survey;
pub mod telemetry;
pub mod units;
