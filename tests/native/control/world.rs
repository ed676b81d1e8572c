//! The world that control works in: a store that forgets nothing, a KV namespace with bad days, and a clock.

use std::cell::Cell;
use std::collections::BTreeMap;

use turnout::api;
use turnout::control::kv::{Listed, Reading, revision_of};
use turnout::control::machine::{Desk, Heard, Running, Step, Task};
use turnout::control::store::{Commit, Digest, Entry, Origin, Revision, Standing, Store};
use turnout::control::subject::Kind;
use turnout::control::{Envelope, Reply, Request, Subject, Who};
use turnout::error::{Error, ErrorKind};

/// When every world begins, in milliseconds since 1970.
pub(super) const START: u64 = 1_800_000_000_000;

/// A value in KV, with its metadata.
pub(super) type Value = (Vec<u8>, Option<String>);

/// What becomes of one operation on KV.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is done, and acknowledged.
    #[default]
    Done,
    /// It fails, and nothing happens.
    Fails,
    /// A write is reported as failed, and lands so many milliseconds later.
    LandsLate(u64),
    /// A reading shows what was there so many milliseconds ago.
    Stale(u64),
}

/// A namespace that remembers what it held when.
#[derive(Debug, Default)]
pub(super) struct Kv {
    /// For each key, when it became what.
    versions: BTreeMap<String, Vec<(u64, Option<Value>)>>,
    late: Vec<(u64, String, Option<Value>)>,
}

impl Kv {
    /// What lies there.
    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        self.versions.get(key)?.last()?.1.as_ref()
    }

    /// Puts a value, or deletes the key.
    pub(super) fn set(&mut self, now: u64, key: &str, value: Option<Value>) {
        self.versions.entry(key.to_owned()).or_default().push((now, value));
    }

    /// What lay there at a time.
    pub(super) fn at(&self, key: &str, time: u64) -> Option<&Value> {
        self.versions.get(key)?.iter().rev().find(|(since, _)| *since <= time)?.1.as_ref()
    }

    fn keys(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.versions.iter().filter_map(|(key, versions)| Some((key, versions.last()?.1.as_ref()?)))
    }

    /// Lets land what was written late.
    pub(super) fn land(&mut self, now: u64) {
        self.late.sort_by_key(|(at, _, _)| *at);
        while self.late.first().is_some_and(|(at, _, _)| *at <= now) {
            let (at, key, value) = self.late.remove(0);
            self.set(at, &key, value);
        }
    }

    /// Whether a write has still to land.
    pub(super) fn is_unsettled(&self) -> bool {
        !self.late.is_empty()
    }
}

/// A store in memory, which insists on what a store must be able to rely on.
#[derive(Debug, Default)]
pub(super) struct Memory {
    revisions: BTreeMap<String, Vec<Revision>>,
    standing: BTreeMap<String, Standing>,
    /// Whether it is broken just now.
    pub(super) is_broken: Cell<bool>,
}

impl Memory {
    fn check(&self) -> Result<(), Error> {
        if self.is_broken.get() {
            return Err(Error::new(ErrorKind::ControlUnavailable, "the store is broken"));
        }
        Ok(())
    }

    /// All revisions of a subject, oldest first.
    pub(super) fn all(&self, subject: &str) -> &[Revision] {
        self.revisions.get(subject).map_or(&[], Vec::as_slice)
    }
}

impl Store for Memory {
    fn newest(&self, subject: &Subject) -> Result<Option<Revision>, Error> {
        self.check()?;
        Ok(self.all(&subject.to_string()).last().cloned())
    }

    fn revision(&self, subject: &Subject, number: u64) -> Result<Option<Revision>, Error> {
        let found = self.all(&subject.to_string()).iter().find(|revision| revision.entry.number == number);
        Ok(found.cloned())
    }

    fn by_digest(
        &self,
        subject: &Subject,
        digest: &Digest,
        origin: Option<Origin>,
    ) -> Result<Option<Entry>, Error> {
        let found =
            self.all(&subject.to_string()).iter().rev().map(|revision| &revision.entry).find(|entry| {
                entry.digest == Some(*digest) && origin.is_none_or(|origin| entry.origin == origin)
            });
        Ok(found.cloned())
    }

    fn history(&self, subject: &Subject, before: u64, limit: u32) -> Result<Vec<Entry>, Error> {
        let entries = self.all(&subject.to_string()).iter().rev().map(|revision| revision.entry.clone());
        Ok(entries.filter(|entry| entry.number < before).take(limit as usize).collect())
    }

    fn subjects(&self, kind: Kind, after: &str) -> Result<Vec<Subject>, Error> {
        let live = self.revisions.iter().filter(|(key, revisions)| {
            key.starts_with(kind.prefix())
                && key.as_str() > after
                && revisions.last().is_some_and(|newest| newest.bytes.is_some())
        });
        Ok(live.filter_map(|(key, _)| Subject::of_key(key)).collect())
    }

    fn standing(&self, subject: &Subject) -> Result<Standing, Error> {
        Ok(self.standing.get(&subject.to_string()).copied().unwrap_or_default())
    }

    fn commit(&mut self, commit: &Commit) -> Result<(), Error> {
        self.check()?;
        let key = commit.subject.to_string();
        let revisions = self.revisions.entry(key.clone()).or_default();
        let before = revisions.last().map_or(0, |newest| newest.entry.number);
        assert!(commit.revision.entry.number > before, "revision numbers grow: {before}, then {commit:?}");
        revisions.push(commit.revision.clone());
        self.standing.insert(key, commit.standing);
        Ok(())
    }

    fn stand(&mut self, subject: &Subject, standing: &Standing) -> Result<(), Error> {
        self.check()?;
        self.standing.insert(subject.to_string(), *standing);
        Ok(())
    }

    fn due(&self, now: u64, limit: u32) -> Result<Vec<Subject>, Error> {
        let mut due: Vec<_> = self
            .standing
            .iter()
            .filter_map(|(key, standing)| Some((standing.outbox?.due, key)))
            .filter(|(due, _)| *due <= now)
            .collect();
        due.sort();
        Ok(due.into_iter().take(limit as usize).filter_map(|(_, key)| Subject::of_key(key)).collect())
    }

    fn next_due(&self) -> Result<Option<u64>, Error> {
        Ok(self.standing.values().filter_map(|standing| Some(standing.outbox?.due)).min())
    }
}

/// A task, and the step that it waits for.
#[derive(Debug)]
pub(super) struct Flight {
    task: Task,
    /// What is to be done for it.
    pub(super) step: Step,
}

impl Flight {
    /// Whether it waits for KV to take a write.
    pub(super) fn is_writing(&self) -> bool {
        matches!(self.step, Step::Write { .. } | Step::Delete(_))
    }
}

#[derive(Debug)]
pub(super) struct World {
    pub(super) store: Memory,
    pub(super) kv: Kv,
    running: Running,
    pub(super) now: u64,
    /// Writes of control's, each with what lay there before: `(key, value, before)`.
    pub(super) writes: Vec<(String, Option<Value>, Option<Value>)>,
}

impl Default for World {
    fn default() -> Self {
        let (store, kv, running) = Default::default();
        World { store, kv, running, now: START, writes: Vec::new() }
    }
}

/// Who asks where nothing else is said.
pub(super) fn admin() -> Who {
    Who { id: "admin".to_owned(), is_admin: true, ..Who::default() }
}

/// A request as it reaches control.
pub(super) fn request(method: &str, target: &str, body: &str) -> Request {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let path = format!("/router/v1{path}");
    let asked = api::parse(method, &path).expect("a path that can be read").expect("an operation");
    let content_type = if body.is_empty() { "" } else { "application/json" }.to_owned();
    let envelope = Envelope { who: admin(), content_type, ..Envelope::default() };
    Request { asked, query: query.to_owned(), body: body.as_bytes().to_vec(), envelope }
}

impl World {
    /// Writes a value as a person would.
    pub(super) fn hand_edit(&mut self, key: &str, value: &str) {
        self.kv.set(self.now, key, Some((value.as_bytes().to_vec(), None)));
    }

    /// Deletes a key as a person would.
    pub(super) fn hand_delete(&mut self, key: &str) {
        self.kv.set(self.now, key, None);
    }

    /// Lets time pass.
    pub(super) fn tick(&mut self, milliseconds: u64) {
        self.now += milliseconds;
        self.kv.land(self.now);
    }

    /// The Durable Object dies and comes again: what it held in memory is gone.
    pub(super) fn restart(&mut self) {
        self.running = Running::default();
    }

    /// Begins a task.
    pub(super) fn begin(&mut self, mut task: Task) -> Flight {
        let step = task.step(&mut self.desk(), Heard::Begun);
        Flight { task, step }
    }

    fn desk(&mut self) -> Desk<'_> {
        Desk { store: &mut self.store, running: &mut self.running, now: self.now }
    }

    /// Does what a task waits for; what it comes to, where it is over.
    pub(super) fn advance(
        &mut self,
        flight: &mut Flight,
        fate: Fate,
    ) -> Option<Option<Result<Reply, Error>>> {
        let heard = match flight.step.clone() {
            Step::Reply(reply) => return Some(Some(reply)),
            Step::Rest => return Some(None),
            Step::Read(key) => Heard::Read(self.read(&key, fate)),
            Step::List { prefix, cursor } => {
                assert_eq!(cursor, None, "this namespace has one page");
                let keys = self.kv.keys().filter(|(key, _)| key.starts_with(prefix));
                let revision = |metadata: &Option<String>| metadata.as_deref().and_then(revision_of);
                let keys = keys.map(|(key, (_, metadata))| (key.clone(), revision(metadata))).collect();
                Heard::Listed((fate != Fate::Fails).then_some(Listed { keys, cursor: None }))
            }
            Step::Write { key, bytes, metadata } => {
                assert!(metadata.len() <= 1024, "KV refuses longer metadata: {metadata}");
                Heard::Wrote(self.write(&key, Some((bytes, Some(metadata))), fate))
            }
            Step::Delete(key) => Heard::Wrote(self.write(&key, None, fate)),
        };
        flight.step = flight.task.step(&mut self.desk(), heard);
        None
    }

    /// Does a request to its end, KV being well.
    pub(super) fn ask(&mut self, request: Request) -> Result<Reply, Error> {
        self.ask_with(request, |_| Fate::Done)
    }

    /// Does a request to its end, KV doing as `fate` says of each step.
    pub(super) fn ask_with(
        &mut self,
        request: Request,
        fate: impl Fn(&Step) -> Fate,
    ) -> Result<Reply, Error> {
        let mut flight = self.begin(Task::request(request));
        loop {
            let fate = fate(&flight.step);
            if let Some(over) = self.advance(&mut flight, fate) {
                return over.expect("a request is answered");
            }
        }
    }

    /// Does what the alarm would, where something is due.
    pub(super) fn sweep(&mut self, fate: impl Fn(&Step) -> Fate) {
        let mut flight = self.begin(Task::sweep());
        loop {
            let fate = fate(&flight.step);
            if self.advance(&mut flight, fate).is_some() {
                return;
            }
        }
    }

    /// Lets the alarm go off whenever it is set, until it is no more.
    pub(super) fn settle(&mut self) {
        for _ in 0..1000 {
            let Some(due) = self.store.next_due().expect("a store that is well") else { return };
            self.tick(due.saturating_sub(self.now).max(1000));
            self.sweep(|_| Fate::Done);
        }
        panic!("the outbox is never empty");
    }

    fn read(&self, key: &str, fate: Fate) -> Reading {
        let value = match fate {
            Fate::Fails | Fate::LandsLate(_) => return Reading::Unavailable,
            Fate::Done => self.kv.get(key),
            Fate::Stale(age) => self.kv.at(key, self.now.saturating_sub(age)),
        };
        value.map_or(Reading::Absent, |(bytes, metadata)| Reading::Value {
            bytes: bytes.clone(),
            revision: metadata.as_deref().and_then(revision_of),
        })
    }

    fn write(&mut self, key: &str, value: Option<Value>, fate: Fate) -> bool {
        match fate {
            Fate::Fails => false,
            Fate::LandsLate(after) => {
                self.kv.late.push((self.now + after, key.to_owned(), value));
                false
            }
            Fate::Done | Fate::Stale(_) => {
                let before = self.kv.get(key).cloned();
                self.kv.set(self.now, key, value.clone());
                self.writes.push((key.to_owned(), value, before));
                true
            }
        }
    }
}

/// A router document with two variants, `weight` of a hundred for the first.
pub(super) fn router(weight: u32) -> String {
    format!(
        r#"{{"defaultRoute":{{"route_id":"default","variants":[{{"variant":{{"variant_id":"a","model_id":"demo/swift"}},"weight":{weight}}},{{"variant":{{"variant_id":"b","model_id":"demo/sage"}},"weight":{}}}]}}}}"#,
        100 - weight
    )
}

/// The same, with a name in front.
pub(super) fn named(name: &str, weight: u32) -> String {
    router(weight).replacen('{', &format!(r#"{{"name":"{name}","#), 1)
}

/// The body of a reply.
pub(super) fn body(reply: &Reply) -> serde_json::Value {
    serde_json::from_slice(&reply.body).expect("JSON")
}
