//! The link over real sockets: what it carries, what it survives, and how it ends.

#![cfg(test)]

mod abuse;
mod bulk;
mod certificates;
mod closing;
mod dialling;
mod leavers;
mod requests;
mod silence;
mod slow_readers;
mod support;
