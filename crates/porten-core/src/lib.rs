//! Decides. The words everybody uses and the pure machines behind them: no clock, no chance, no network, no disk.

pub mod api_error;
pub mod route;
pub mod time;
pub mod tunnel;
pub mod wire;
