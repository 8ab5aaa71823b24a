//! Decides. The words everybody uses and the pure machines behind them: no clock, no chance, no network, no disk.

pub mod api_error;
pub mod command;
pub mod config;
pub mod detect;
pub mod engine;
pub mod ids;
pub mod ladder;
pub mod memory;
pub mod models;
pub mod models_list;
pub mod nearest;
pub mod notice;
pub mod picture;
pub mod relay;
pub mod reply;
pub mod route;
pub mod seat;
pub mod secret;
pub mod signin;
pub mod snapshot;
pub mod time;
pub mod tunnel;
pub mod wire;
