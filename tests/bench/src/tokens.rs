//! The engine's answers: a stream that leaves the process token by token, and the document of one that is not streamed.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame};
use serde_json::{Value, json};
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::engine::{Ask, MODEL};
use crate::{clock, token};

/// A stream of stamped tokens. Between two of them it is pending once, so that each is a write of its own: engines
/// write a token when they have it, and this is what a socket without TCP_NODELAY delays.
#[derive(Debug)]
pub(crate) struct Tokens {
    made: u32,
    of: u32,
    wants_usage: bool,
    pace: Option<Interval>,
    /// The token before has been flushed.
    flushed: bool,
    closed: bool,
}

impl Tokens {
    /// The answer to a request that streams.
    pub(crate) fn new(ask: &Ask) -> Self {
        let pace = (ask.seed > 0).then(|| {
            let mut pace = interval(Duration::from_micros(ask.seed.into()));
            pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
            pace
        });
        Self { made: 0, of: ask.tokens(), wants_usage: ask.wants_usage(), pace, flushed: true, closed: false }
    }

    /// Pending once after each write.
    fn poll_flushed(&mut self, cx: &Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.flushed, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn closing(&self) -> String {
        let mut text = event("{}", "\"length\"");
        if self.wants_usage {
            let (of, all) = (self.of, self.of + 1);
            text += &format!(
                "data: {{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"{MODEL}\",\
                 \"choices\":[],\"usage\":{{\"prompt_tokens\":1,\"completion_tokens\":{of},\"total_tokens\":{all}}}}}\n\n"
            );
        }
        text + "data: [DONE]\n\n"
    }
}

impl Body for Tokens {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        if this.closed {
            return Poll::Ready(None);
        }
        ready!(this.poll_flushed(cx));
        let text = if this.made < this.of {
            if let Some(pace) = &mut this.pace {
                ready!(pace.poll_tick(cx));
            }
            this.made += 1;
            event(&format!("{{\"content\":\"{}\"}}", token::write(clock::now())), "null")
        } else {
            this.closed = true;
            this.closing()
        };
        this.flushed = false;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from(text)))))
    }
}

/// The answer to a request that does not stream.
pub(crate) fn document(tokens: u32) -> Value {
    let text: String = (0..tokens).map(|_| token::write(clock::now())).collect();
    json!({"id": "chatcmpl-bench", "object": "chat.completion", "created": 1, "model": MODEL,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "length"}],
        "usage": usage(tokens)})
}

/// One event. Written by hand: the engine is to cost as little as it can.
fn event(delta: &str, finish: &str) -> String {
    format!(
        "data: {{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"{MODEL}\",\
         \"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{finish}}}]}}\n\n"
    )
}

fn usage(tokens: u32) -> Value {
    json!({"prompt_tokens": 1, "completion_tokens": tokens, "total_tokens": tokens + 1})
}
