//! Decides everything about one relayed request: what may reach the engine, and what its answer means for the client.
//!
//! ```text
//! request  head -> admit::admit -> body -> body::read -> admit::admit_body -> Ask::for_engine -> engine
//! answer   engine -> headers::AnswerShape -> Stream:   Answer::take … Answer::finish
//!                                            Document: Answer::take_document
//!                                            Failure:  engine_error::read
//! ```
//! The agent's task only moves the bytes.

pub mod admit;
mod alike;
mod allowed;
pub mod answer;
mod assemble;
pub mod body;
pub mod bounds;
mod chunk;
mod content;
mod document;
pub mod engine_error;
mod fields;
pub mod headers;
mod message;
pub mod names;
mod normalise;
pub mod queue;
pub mod repeat;
pub mod serving;
pub mod sse;
pub mod terminal;
pub mod tokens;

pub use admit::{Admitted, Facts, Head, admit, admit_body};
pub use answer::{Answer, End, Ended, Flow, Opening, Tokens};
pub use body::{Ask, Wants};
pub use bounds::{Bound, Bounds};
pub use headers::{AnswerShape, RequestId};
pub use names::Names;
pub use normalise::KEEP_ALIVE;
pub use serving::{Served, Serving};
