//! The items of a request's `input`, read into turns.

use serde_json::Value;

use super::answer;
use super::content;
use super::fields::Fields;
use super::reply::{MADE_HERE, OF_LAST_CALL, OF_NEXT_CALL};
use crate::dialect::Dialect;
use crate::dialect::conversation::{Part, Role, Seal, ToolCall, Turn};
use crate::error::Error;

/// Items in order, brought together into turns: what the model says and does at one time is one turn, the results that come
/// back are one, each message of a user is one.
#[derive(Debug, Default)]
pub(super) struct History {
    /// What stands before the first turn.
    pub(super) system: Vec<Part>,
    pub(super) turns: Vec<Turn>,
    /// Ids of items that only the provider can know.
    pub(super) references: Vec<Value>,
    seal_of_next_call: Option<Seal>,
}

impl History {
    /// `input` as a string.
    pub(super) fn user_text(&mut self, text: &str) {
        self.turns.push(Turn { role: Role::User, name: None, parts: vec![Part::text(text)] });
    }

    /// One item, which stands at `path`.
    pub(super) fn read(&mut self, item: &Value, path: &str) -> Result<(), Error> {
        let fields = Fields::of(item, path)?;
        match fields.text("type")? {
            Some("message") => self.message(&fields),
            None if fields.get("role").is_some() => self.message(&fields),
            Some("item_reference") => self.reference(item, &fields),
            None if fields.get("id").is_some() => self.reference(item, &fields),
            None => Err(fields.fault("type", "the item's type, or `role` that of a message")),
            Some("function_call") => {
                let seal = self.seal_of_next_call.take();
                let arguments = fields.text("arguments")?.unwrap_or_default();
                self.said(Part::ToolCall(ToolCall {
                    id: fields.required("call_id")?.to_owned(),
                    name: fields.required("name")?.to_owned(),
                    arguments: arguments.to_owned(),
                    is_custom: false,
                    seal,
                }));
                Ok(())
            }
            Some("custom_tool_call") => {
                let seal = self.seal_of_next_call.take();
                self.said(Part::ToolCall(ToolCall {
                    id: fields.required("call_id")?.to_owned(),
                    name: fields.required("name")?.to_owned(),
                    arguments: fields.text("input")?.unwrap_or_default().to_owned(),
                    is_custom: true,
                    seal,
                }));
                Ok(())
            }
            Some("function_call_output" | "custom_tool_call_output") => {
                self.given(Part::ToolResult {
                    id: fields.required("call_id")?.to_owned(),
                    parts: content::decode(&fields, "output")?,
                    is_error: fields.text("status")? == Some("incomplete"),
                    cache: None,
                });
                Ok(())
            }
            Some("reasoning") => self.reasoning(item, &fields),
            Some(kind) => {
                let part = own(item);
                if kind.ends_with("_output") || kind.ends_with("_response") {
                    self.given(part);
                } else {
                    self.said(part);
                }
                Ok(())
            }
        }
    }

    fn message(&mut self, fields: &Fields<'_>) -> Result<(), Error> {
        let parts = content::decode(fields, "content")?;
        match fields.required("role")? {
            "assistant" => parts.into_iter().for_each(|part| self.said(part)),
            "user" => self.turns.push(Turn { role: Role::User, name: None, parts }),
            "system" | "developer" => {
                if !parts.iter().all(|part| matches!(part, Part::Text { .. })) {
                    return Err(fields.fault("content", "text where the role is `system` or `developer`"));
                }
                if self.turns.is_empty() {
                    self.system.extend(parts);
                } else {
                    self.turns.push(Turn { role: Role::System, name: None, parts });
                }
            }
            _ => return Err(fields.fault("role", "`user`, `assistant`, `system` or `developer`")),
        }
        Ok(())
    }

    fn reasoning(&mut self, item: &Value, fields: &Fields<'_>) -> Result<(), Error> {
        let sealed = fields.text("encrypted_content")?;
        if let Some(seal) = sealed.and_then(|value| value.strip_prefix(OF_NEXT_CALL)) {
            self.seal_of_next_call = Some(Seal::unwrapped(Dialect::Responses, seal));
            return Ok(());
        }
        if let Some(seal) = sealed.and_then(|value| value.strip_prefix(OF_LAST_CALL)) {
            self.seal_last_call(Seal::unwrapped(Dialect::Responses, seal));
            return Ok(());
        }
        let thoughts = answer::thoughts(item, sealed.map(|value| Seal::unwrapped(Dialect::Responses, value)));
        if thoughts.is_empty() {
            // Nothing but an id: what was thought is where the provider keeps it.
            self.said(own(item));
        }
        thoughts.into_iter().for_each(|thought| self.said(Part::Thought(thought)));
        Ok(())
    }

    fn reference(&mut self, item: &Value, fields: &Fields<'_>) -> Result<(), Error> {
        let id = fields.required("id")?;
        // What we made of another dialect's thought is kept nowhere. It is lost, and nothing else is.
        if !(id.starts_with("rs_") && id.contains(MADE_HERE)) {
            self.references.push(id.into());
        }
        self.said(own(item));
        Ok(())
    }

    /// The seal of the call that went before.
    fn seal_last_call(&mut self, seal: Seal) {
        let turn = self.turns.last_mut().filter(|turn| turn.role == Role::Assistant);
        if let Some(Part::ToolCall(call)) = turn.and_then(|turn| turn.parts.last_mut()) {
            call.seal = Some(seal);
        }
    }

    /// The model's.
    fn said(&mut self, part: Part) {
        match self.turns.last_mut() {
            Some(turn) if turn.role == Role::Assistant => turn.parts.push(part),
            _ => self.turns.push(Turn { role: Role::Assistant, name: None, parts: vec![part] }),
        }
    }

    /// What came of a call.
    fn given(&mut self, part: Part) {
        let is_of_results = |part: &Part| matches!(part, Part::ToolResult { .. } | Part::Own { .. });
        match self.turns.last_mut() {
            Some(turn)
                if turn.role == Role::User
                    && !turn.parts.is_empty()
                    && turn.parts.iter().all(is_of_results) =>
            {
                turn.parts.push(part);
            }
            _ => self.turns.push(Turn { role: Role::User, name: None, parts: vec![part] }),
        }
    }
}

/// An item that nobody else understands.
fn own(item: &Value) -> Part {
    Part::Own { dialect: Dialect::Responses, json: item.clone() }
}
