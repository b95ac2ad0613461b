//! The map of `wrapup`: what to read in which order, what always holds, and the way of one survey.
//!
//! `wrapup` turns the answers of a post-call survey into the right wrap-up code on the contact-centre interaction that
//! the survey is about. A survey platform posts a signed webhook; it is verified, read, judged by rules and stored;
//! then it is answered; then its code is assigned through the platform's REST API, never faster than that allows.
//!
//! # Reading order
//!
//! 1. [`survey`] and [`rules`]: what a survey is and how a code is chosen. Pure.
//! 2. [`intake`]: from bytes to a survey; the only place that can say a message is authentic.
//! 3. [`store`]: the durable record, as a trait; [`store::sqlite`] is its implementation.
//! 4. [`platform`]: token, pacer and API behind one small interface; [`codes`]: the code book on top of it.
//! 5. [`delivery`]: dispatcher, workers, verdicts, breakers.
//! 6. [`http`]: listeners, webhooks, health. [`config`], [`service`], [`cli`]: how it is told, built and run.
//! 7. [`simulator`]: a stand-in for the platform, with wire types of its own. The service never sees it.
//!
//! Leaves that everything may use: [`clock`], [`ids`], [`lifecycle`], [`metrics`], [`secret`], [`telemetry`],
//! [`units`]. Imports point one way only; `tests/it/house.rs` holds the table.
//!
//! # What always holds
//!
//! * **A 2xx is sent after the commit.** [`store::Store::accept`] answers when the transaction is on disk.
//! * **Nothing unsigned gets in.** Only `intake`'s verification makes an `intake::Verified`, and only that can be read.
//! * **One pace.** Every call to the platform takes a slot of the [`platform::pacer`]; there is no way around it.
//! * **Every delivery ends once**, in one terminal state; a settlement shows the fence of its lease.
//! * **An outage is not the survey's fault.** While a breaker is open nothing is dispatched, and attempts that opened
//!   it are given back.
//! * **Secrets and answers are never printed**: not in logs at any level, in errors, or in `wrapup config`.
//!
//! # Deliberately absent
//!
//! Pulling surveys from queues; a cache in front of the store; retries in the HTTP client; a global of any kind.
//!
//! # The way of one survey
//!
//! `POST /webhooks/generic` arrives at [`http::server`], which times its connection, and at `http/webhook.rs`, which
//! checks in the order of the contract's table and reads the body. [`intake::Source::verify`] compares signatures;
//! [`intake::Source::read`] finds the fields; [`rules::RuleSet::decide`] runs the conditions and leaves a trace.
//! [`store::Store::accept`] looks for duplicates and inserts, in one transaction with all that wait; then the answer
//! goes out, 202, and the dispatcher is woken. It asks the gate of the breakers and the pacer, leases the delivery and
//! hands it to a worker; the worker takes the code's id from the [`codes::CodeBook`], has the platform look and write,
//! and lets `delivery/verdict.rs` say what the outcome means. One settlement writes that down; one log line says
//! `assigned`.

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
pub mod service;
pub mod simulator;
pub mod store;
pub mod survey;
pub mod telemetry;
pub mod units;
