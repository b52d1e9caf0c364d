//! The little JSON that a small plugin needs.
#![forbid(unsafe_code)]

use std::fmt::Write;

/// `text` as JSON has it, with its quotes.
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            '\0'..='\u{1f}' => _ = write!(out, "\\u{:04x}", character as u32), // writing to a String cannot fail
            _ => out.push(character),
        }
    }
    out.push('"');
    out
}

/// The members of an object whose values are all texts without backslashes; `None` for anything else.
pub fn texts(json: &str) -> Option<Vec<(&str, &str)>> {
    let mut members = Vec::new();
    let mut rest = after(json, '{')?;
    if let Some(end) = after(rest, '}') {
        return end.trim().is_empty().then_some(members);
    }
    loop {
        let (name, behind) = text(rest)?;
        let (value, behind) = text(after(behind, ':')?)?;
        members.push((name, value));
        match after(behind, ',') {
            Some(next) => rest = next,
            None => return after(behind, '}')?.trim().is_empty().then_some(members),
        }
    }
}

fn after(json: &str, sign: char) -> Option<&str> {
    json.trim_start().strip_prefix(sign)
}

fn text(json: &str) -> Option<(&str, &str)> {
    let (text, rest) = after(json, '"')?.split_once('"')?;
    (!text.contains(['\\', '\n'])).then_some((text, rest))
}
