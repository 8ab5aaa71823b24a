//! Checks what chat messages carry: nothing that makes an engine fetch an address for the client.
//!
//! mlx_lm 0.32.2 opens every `http(s)` image address it is given, from inside the owner's network, and takes three part
//! types and two fields for it. So parts are read by an allow-list: a part that is not understood is refused.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::fields::each_item;
use crate::api_error::ApiError;

/// Checks `messages`: a filled array of objects whose content is text, or parts that carry their data with them.
///
/// # Errors
/// 400, naming the message.
pub(super) fn check_messages(messages: &RawValue) -> Result<(), ApiError> {
    let mut count = 0_usize;
    let mut wrong = None;
    let walked = each_item(messages.get(), |message: &RawValue| {
        if wrong.is_none() {
            wrong = check_message(message).err().map(|why| (count, why));
        }
        count += 1;
    });
    match wrong {
        _ if walked.is_err() || count == 0 => {
            Err(ApiError::invalid("invalid_messages", "`messages` must be an array with at least one message."))
        }
        Some((at, why)) => Err(ApiError::invalid(why.code(), format!("`messages[{at}]` {}", why.text()))),
        None => Ok(()),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wrong {
    Shape,
    Type,
    Address,
}

impl Wrong {
    const fn code(self) -> &'static str {
        match self {
            Self::Shape => "invalid_messages",
            Self::Type => "unsupported_content",
            Self::Address => "remote_content",
        }
    }

    const fn text(self) -> &'static str {
        match self {
            Self::Shape => "must be an object whose `content` is text or an array of content parts.",
            Self::Type => "has a content part that is not text, refusal, image_url or input_audio.",
            Self::Address => "links to an image; send the image itself as a `data:` URL.",
        }
    }
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    content: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Part<'a> {
    #[serde(borrow)]
    r#type: Cow<'a, str>,
}

/// Every field is known, because engines look for an address under more names than OpenAI's.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ImagePart<'a> {
    #[serde(rename = "type")]
    _type: IgnoredAny,
    #[serde(borrow)]
    image_url: &'a RawValue,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Image<'a> {
    #[serde(borrow)]
    url: Cow<'a, str>,
    #[serde(default, rename = "detail")]
    _detail: IgnoredAny,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AudioPart<'a> {
    #[serde(rename = "type")]
    _type: IgnoredAny,
    #[serde(borrow)]
    input_audio: Audio<'a>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Audio<'a> {
    #[serde(borrow)]
    data: Cow<'a, str>,
    #[serde(default, rename = "format")]
    _format: IgnoredAny,
}

fn check_message(message: &RawValue) -> Result<(), Wrong> {
    let message: Message<'_> = read(message)?;
    let Some(content) = message.content else { return Ok(()) };
    match content.get().as_bytes().first() {
        Some(b'"') => Ok(()),
        // exo also takes one part without the array.
        Some(b'{') => check_part(content),
        Some(b'[') => {
            let mut wrong = Ok(());
            each_item(content.get(), |part: &RawValue| {
                if wrong.is_ok() {
                    wrong = check_part(part);
                }
            })
            .map_err(|_| Wrong::Shape)?;
            wrong
        }
        _ => Err(Wrong::Shape),
    }
}

fn check_part(part: &RawValue) -> Result<(), Wrong> {
    match read::<Part<'_>>(part)?.r#type.as_ref() {
        "text" | "refusal" => Ok(()),
        "image_url" => {
            let image = read::<ImagePart<'_>>(part)?.image_url;
            let url = match serde_json::from_str(image.get()) {
                Ok(url) => url,
                Err(_) => read::<Image<'_>>(image)?.url,
            };
            if url.starts_with("data:") { Ok(()) } else { Err(Wrong::Address) }
        }
        // Base64 has no colon, an address always has one.
        "input_audio" if read::<AudioPart<'_>>(part)?.input_audio.data.contains(':') => Err(Wrong::Address),
        "input_audio" => Ok(()),
        _ => Err(Wrong::Type),
    }
}

fn read<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Result<T, Wrong> {
    // serde would also read a struct from an array.
    if !raw.get().starts_with('{') {
        return Err(Wrong::Shape);
    }
    serde_json::from_str(raw.get()).map_err(|_| Wrong::Shape)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(messages: &str) -> Result<(), &'static str> {
        let raw: &RawValue = serde_json::from_str(messages).unwrap();
        check_messages(raw).map_err(|error| error.code)
    }

    #[test]
    fn text_and_carried_data_pass() {
        for fine in [
            r#"[{"role":"user","content":"http://10.0.0.1/ is only text"}]"#,
            r#"[{"role":"assistant","content":null,"tool_calls":[]},{"role":"tool","content":""}]"#,
            r#"[{"role":"user","content":[{"type":"text","text":"x","cache_control":{}},{"type":"refusal","refusal":"no"}]}]"#,
            r#"[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AA","detail":"low"}}]}]"#,
            r#"[{"role":"user","content":[{"type":"image_url","image_url":"data:image/png;base64,A\/A"}]}]"#,
            r#"[{"role":"user","content":{"type":"text","text":"exo takes it bare"}}]"#,
            r#"[{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"UklGRg==","format":"wav"}}]}]"#,
        ] {
            assert_eq!(check(fine), Ok(()), "{fine}");
        }
    }

    /// Fault C12: a part that links to a page, a file or anything but its own data is refused.
    #[test]
    fn an_address_is_never_given_to_the_engine() {
        for address in
            ["http://10.0.0.1/a", "https://x", "file:///etc/passwd", " data:x", "DATA:x", "//h", "ftp://x", ""]
        {
            for image in [format!(r#"{{"url":"{address}"}}"#), format!("\"{address}\"")] {
                let messages = format!(r#"[{{"content":[{{"type":"image_url","image_url":{image}}}]}}]"#);
                assert_eq!(check(&messages), Err("remote_content"), "{messages}");
            }
        }
        let escaped = r#"[{"content":[{"type":"image_url","image_url":"\u0068ttp://x"}]}]"#;
        assert_eq!(check(escaped), Err("remote_content"));
    }

    /// Fault C12: so is a link under each other name that engines look at.
    #[test]
    fn the_other_names_under_which_engines_look_for_an_address_are_refused() {
        for part in [
            r#"{"type":"image","image":"http://x"}"#,
            r#"{"type":"input_image","image_url":"http://x"}"#,
            r#"{"type":"image_url","image":"http://x"}"#,
            r#"{"type":"image_url","image_url":"data:x","image":"http://x"}"#,
            r#"{"type":"image_url","image_url":"data:x","image_url":"http://x"}"#,
            r#"{"type":"text","type":"image_url","image_url":"http://x"}"#,
            r#"{"type":"image_url","image_url":{"url":"data:x","url":"http://x"}}"#,
            r#"{"type":"video_url","video_url":{"url":"http://x"}}"#,
            r#"{"type":"input_audio","input_audio":{"data":"http://x"}}"#,
            r#"{"type":"input_audio","input_audio":{"data":"AA","url":"http://x"}}"#,
            r#"{"text":"no type"}"#,
            r#""bare""#,
        ] {
            assert!(check(&format!(r#"[{{"content":[{part}]}}]"#)).is_err(), "{part}");
        }
        assert!(check(r#"[{"content":"x","content":[{"type":"image","image":"http://x"}]}]"#).is_err());
    }

    #[test]
    fn the_message_that_is_wrong_is_named() {
        let raw: Box<RawValue> =
            serde_json::from_str(r#"[{"content":"a"},{"content":[{"type":"image_url","image_url":"http://x"}]}]"#)
                .unwrap();
        let error = check_messages(&raw).unwrap_err();
        assert_eq!(error.message, "`messages[1]` links to an image; send the image itself as a `data:` URL.");
        for wrong in ["[]", "{}", "3", "null", "[3]", "[[\"x\"]]", r#"[{"content":3}]"#] {
            assert_eq!(check(wrong), Err("invalid_messages"), "{wrong}");
        }
    }
}
