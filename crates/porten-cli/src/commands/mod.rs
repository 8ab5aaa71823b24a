//! One file per command; each is a client of the agent like any other.

pub(crate) mod cluster;
pub(crate) mod config;
pub(crate) mod display;
pub(crate) mod drain;
pub(crate) mod engine;
pub(crate) mod host;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod look;
pub(crate) mod models;
pub(crate) mod pause;
pub(crate) mod pictures;
pub(crate) mod service;
pub(crate) mod signals;
pub(crate) mod status;
pub(crate) mod wish;
