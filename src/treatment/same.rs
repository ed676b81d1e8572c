//! A treatment in a body of the caller's own dialect: edits of the caller's bytes, and no others (law 1).
//!
//! A member that the caller has is replaced where it stands, under another name where the model wants that; what it does not have
//! is added at the end. Prompts go before what the caller has: its own texts stay as they are written, within a list or behind a
//! text where theirs have to become one.

use std::ops::Range;

use serde_json::Value;

use super::changes::{self, Change};
use super::object::{self, Fate};
use super::places::{Places, SystemPrompt};
use super::prompts::Prompts;
use super::{Applied, noted};
use crate::call::object::{Member, elements, member as member_of, offset};
use crate::call::{Edits, Outline, Splice};
use crate::dialect::conversation::{Conversation, Part, Role, Turn};
use crate::dialect::translate;
use crate::endpoint::Operation;
use crate::provider::Habits;

/// What stands between two texts that become one.
const BETWEEN: &str = "\n\n";

impl Applied {
    /// What is edited in a body of the caller's own dialect, and what could not be said there, for `x-turnout-note`.
    pub fn edits(&self, body: &str, call: &Outline, model: &str, habits: &Habits) -> (Edits, Option<String>) {
        let dialect = call.dialect();
        let places = &dialect.wire().places;
        let mut editor = Editor { body, members: call.members(body), places, edits: Edits::default() };
        let mut lost = Vec::new();
        // Who counts a prompt takes nothing that says how it is answered.
        if call.operation() == Operation::Generate {
            let settings = editor.settings(call);
            let (changes, names) = changes::of(&self.treatment.parameters, &settings, dialect, model, habits);
            lost = names;
            editor.set(&changes);
        }
        let Prompts { system, turns } = &self.prompts;
        let marks = system.iter().chain(turns.iter().flat_map(|turn| &turn.parts));
        if marks.into_iter().any(is_marked) && !places.has_cache_marks {
            lost.push("`cache_control`");
        }
        if !turns.is_empty() && call.goes_on() {
            lost.push("the variant's turns, for the call goes on from one that had them");
            editor.put_prompts(system, &[]);
        } else {
            editor.put_prompts(system, turns);
        }
        (editor.edits, noted(dialect, lost.into_iter()))
    }
}

fn is_marked(part: &Part) -> bool {
    matches!(part, Part::Text { cache: Some(_), .. })
}

/// A body that is edited.
struct Editor<'b> {
    body: &'b str,
    members: Vec<Member<'b>>,
    places: &'static Places,
    edits: Edits,
}

impl<'b> Editor<'b> {
    /// The caller's own settings: its request, less turns, prompt and tools. One that cannot be read has none.
    fn settings(&self, call: &Outline) -> Conversation {
        let is_long = |member: &&Member<'_>| {
            let (turns, system) = (self.places.turns, self.places.system.name());
            let is = |name| self.places.is(&member.name, name);
            is(turns) || system.is_some_and(is) || LONG.contains(&member.name.as_ref())
        };
        let kept = self.members.iter().filter(|member| !is_long(member));
        let mut request: Vec<&str> = kept.filter_map(|member| self.body.get(member.span.clone())).collect();
        let no_turns = format!("{}:[]", Value::from(self.places.turns));
        request.push(&no_turns);
        let request = format!("{{{}}}", request.join(","));
        translate::decode_request(call.dialect(), request.as_bytes()).unwrap_or_default()
    }

    /// The caller's members of that meaning; those of the very name first.
    fn of_meaning(&self, name: &str) -> Vec<usize> {
        let of = |is_named: bool| {
            let members = self.members.iter().enumerate();
            members.filter_map(move |(at, member)| {
                let is_meant = self.places.means(&member.name, name);
                (is_meant && self.places.is(&member.name, name) == is_named).then_some(at)
            })
        };
        of(true).chain(of(false)).collect()
    }

    fn text(&self, range: &Range<usize>) -> &'b str {
        self.body.get(range.clone()).unwrap_or_default()
    }

    /// Sets parameters.
    fn set(&mut self, changes: &[Change]) {
        for change in changes.iter().filter(|change| change.object.is_none()) {
            self.set_member(&change.name, change.value.as_ref());
        }
        for object in self.places.objects {
            let within: Vec<&Change> =
                changes.iter().filter(|change| change.object == Some(object)).collect();
            if !within.is_empty() {
                self.set_within(object, &within);
            }
        }
    }

    fn set_member(&mut self, name: &str, value: Option<&Value>) {
        let mut found = self.of_meaning(name).into_iter();
        if let Some(value) = value {
            match found.next().and_then(|at| self.members.get(at)) {
                None => self.edits.added.push(object::member(name, value)),
                Some(Member { name: written, span, value: place }) => {
                    let keeps_name = self.places.is(written, name)
                        || self.places.interchangeable.contains(&(name, written.as_ref()));
                    let splice = match keeps_name {
                        true => Splice { range: place.clone(), with: value.to_string() },
                        false => Splice { range: span.clone(), with: object::member(name, value) },
                    };
                    if !keeps_name || !object::is(self.text(place), value) {
                        self.change(splice);
                    }
                }
            }
        }
        let gone = found.filter_map(|at| self.members.get(at)).map(|member| member.span.start);
        self.edits.removed.extend(gone);
    }

    /// Sets members of an object that the request has, or is given.
    fn set_within(&mut self, name: &str, changes: &[&Change]) {
        let missing = |known: &[bool]| -> Vec<String> {
            let changes = changes.iter().zip(known).filter(|(_, is_known)| !**is_known);
            changes
                .filter_map(|(change, _)| Some(object::member(&change.name, change.value.as_ref()?)))
                .collect()
        };
        let mut found = self.of_meaning(name).into_iter();
        let Some(Member { value: place, .. }) = found.next().and_then(|at| self.members.get(at)) else {
            let members = missing(&vec![false; changes.len()]);
            if !members.is_empty() {
                self.edits.added.push(format!("{}:{{{}}}", Value::from(name), members.join(",")));
            }
            return;
        };
        let text = self.text(place);
        let known = std::cell::RefCell::new(vec![false; changes.len()]);
        let fate = |member: &Member<'_>, written: &str| {
            let mut known = known.borrow_mut();
            let mut changes = changes.iter().zip(known.iter_mut());
            match changes.find(|(change, _)| self.places.is(&member.name, &change.name)) {
                None => Fate::Stays,
                // Of two of a name the first is replaced, and the other would win.
                Some((_, true)) => Fate::Goes,
                Some((change, is_known)) => {
                    *is_known = true;
                    match &change.value {
                        None => Fate::Goes,
                        Some(value) if object::is(written, value) => Fate::Stays,
                        Some(value) => Fate::Becomes(value),
                    }
                }
            }
        };
        let with = object::changed(text, fate, || missing(&known.borrow()));
        // What is no object is null, or a mistake that the provider would refuse.
        let with = with.unwrap_or_else(|| format!("{{{}}}", missing(&vec![false; changes.len()]).join(",")));
        if with != text {
            self.change(Splice { range: place.clone(), with });
        }
    }

    /// Puts prompts before what the caller has of their kind.
    fn put_prompts(&mut self, system: &[Part], turns: &[Turn]) {
        let turns: Vec<String> = turns.iter().map(|turn| self.turn(turn.role, &turn.parts)).collect();
        let turns = turns.join(",");
        match self.places.system {
            SystemPrompt::FirstTurns(roles) => {
                let prompt = if system.is_empty() { String::new() } else { self.turn(Role::System, system) };
                self.put_among_turns(&prompt, &turns, roles);
                return;
            }
            _ if system.is_empty() => {}
            SystemPrompt::Blocks(name) => self.put_blocks(name, system),
            SystemPrompt::Text(name) => self.put_text(name, system),
            SystemPrompt::Parts(name) => self.put_parts(name, system),
        }
        if !turns.is_empty() {
            self.put_among_turns("", &turns, &[]);
        }
    }

    fn turn(&self, role: Role, parts: &[Part]) -> String {
        (self.places.turn)(role, parts).to_string()
    }

    /// The caller's member of a name.
    fn place_of(&self, name: &str) -> Option<Range<usize>> {
        self.of_meaning(name).first().and_then(|at| self.members.get(*at)).map(|member| member.value.clone())
    }

    fn put(&mut self, at: usize, with: String) {
        self.change(Splice { range: at..at, with });
    }

    /// Puts `first` at the beginning of the list of turns, and `next` behind those at its beginning that have one of `roles`.
    fn put_among_turns(&mut self, first: &str, next: &str, roles: &[&str]) {
        let all: Vec<&str> = [first, next].into_iter().filter(|turns| !turns.is_empty()).collect();
        if all.is_empty() {
            return;
        }
        let name = self.places.turns;
        let Some(place) = self.place_of(name) else {
            self.edits.added.push(format!("{}:[{}]", Value::from(name), all.join(",")));
            return;
        };
        let text = self.text(&place);
        if text.starts_with('"') {
            // One turn of the user's, said in short.
            let turn = format!(r#"{{"role":"user","content":{text}}}"#);
            self.replace(place, format!("[{},{turn}]", all.join(",")));
            return;
        }
        // What else there may be is the provider's to refuse.
        let Some(caller) = elements(text) else { return };
        let has_role = |turn: &&str| {
            let role = member_of(turn, "role").and_then(|role| serde_json::from_str::<String>(role).ok());
            role.is_some_and(|role| roles.contains(&role.as_str()))
        };
        let prompts = if next.is_empty() {
            0
        } else {
            caller.iter().copied().take_while(|turn| has_role(turn)).count()
        };
        let start = place.start + 1;
        let mut before = vec![first];
        match prompts.checked_sub(1).and_then(|last| caller.get(last)) {
            Some(last) if !next.is_empty() => {
                let end = place.start + offset(text, last) + last.len();
                self.put(end, format!(",{next}"));
            }
            _ => before.push(next),
        }
        before.retain(|turns| !turns.is_empty());
        if !before.is_empty() {
            let comma = if caller.is_empty() { "" } else { "," };
            self.put(start, format!("{}{comma}", before.join(",")));
        }
    }

    /// A prompt of blocks; the caller's text becomes one of them.
    fn put_blocks(&mut self, name: &str, system: &[Part]) {
        let blocks = self.list_of(system, "content");
        let Some(place) = self.place_of(name) else {
            self.edits.added.push(format!("{}:[{blocks}]", Value::from(name)));
            return;
        };
        match self.text(&place) {
            text if text == "null" || text == "\"\"" => self.replace(place, format!("[{blocks}]")),
            text if text.starts_with('"') => {
                self.replace(place, format!(r#"[{blocks},{{"type":"text","text":{text}}}]"#));
            }
            text => self.put_first(place.start, text, &blocks),
        }
    }

    /// A prompt that is one text.
    fn put_text(&mut self, name: &str, system: &[Part]) {
        let texts: Vec<&str> = system.iter().filter_map(Part::as_text).collect();
        let prompt = texts.join(BETWEEN);
        let Some(place) = self.place_of(name) else {
            self.edits.added.push(object::member(name, &prompt.into()));
            return;
        };
        match self.text(&place) {
            text if text == "null" || text == "\"\"" => self.replace(place, Value::from(prompt).to_string()),
            text if text.starts_with('"') => {
                let quoted = Value::from(format!("{prompt}{BETWEEN}")).to_string();
                let inside = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
                self.put(place.start + 1, inside.unwrap_or_default().to_owned());
            }
            _ => {}
        }
    }

    /// A prompt of parts in an object.
    fn put_parts(&mut self, name: &str, system: &[Part]) {
        let parts = self.list_of(system, "parts");
        let Some(place) = self.place_of(name) else {
            self.edits.added.push(format!("{}:{{\"parts\":[{parts}]}}", Value::from(name)));
            return;
        };
        let text = self.text(&place);
        if let Some(list) = member_of(text, "parts") {
            let start = place.start + offset(text, list);
            self.put_first(start, list, &parts);
        } else if text.starts_with('"') {
            self.replace(place, format!(r#"{{"parts":[{parts},{{"text":{text}}}]}}"#));
        } else if let Some(with) =
            object::changed(text, |_, _| Fate::Stays, || vec![format!("\"parts\":[{parts}]")])
        {
            self.replace(place, with);
        } else {
            self.replace(place, format!("{{\"parts\":[{parts}]}}"));
        }
    }

    /// The inside of the list that a turn of these parts has in its member of that name.
    fn list_of(&self, system: &[Part], name: &str) -> String {
        let mut turn = (self.places.turn)(Role::System, system);
        let parts = turn.get_mut(name).map(Value::take).unwrap_or_default();
        let parts = parts.as_array().map(Vec::as_slice).unwrap_or_default();
        parts.iter().map(Value::to_string).collect::<Vec<_>>().join(",")
    }

    /// Puts elements at the beginning of a list; what is none is the provider's to refuse.
    fn put_first(&mut self, start: usize, list: &str, with: &str) {
        let Some(inside) = list.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) else { return };
        let comma = if inside.trim_ascii().is_empty() { "" } else { "," };
        self.put(start + 1, format!("{with}{comma}"));
    }

    fn replace(&mut self, range: Range<usize>, with: String) {
        self.change(Splice { range, with });
    }

    /// Adds a splice in its place: there are a handful.
    fn change(&mut self, splice: Splice) {
        let before = |other: &Splice| other.range.start <= splice.range.start;
        let at = self.edits.within.iter().rposition(before).map_or(0, |last| last + 1);
        self.edits.within.insert(at, splice);
    }
}

/// What is long and says nothing of how an answer is sampled.
const LONG: &[&str] = &["tools", "functions"];
