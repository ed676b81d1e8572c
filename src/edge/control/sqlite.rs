//! [`Store`] over the SQLite of a Durable Object.
//!
//! Each statement is synchronous, and what belongs together is one `transactionSync`, so a fault in the middle leaves nothing.

use std::cell::Cell;

use worker::js_sys::{Array, Uint8Array};
use worker::wasm_bindgen::{JsCast, JsValue};
use worker::{State, console_error};

use crate::control::Subject;
use crate::control::store::{Commit, Digest, Entry, Origin, Outbox, Revision, Standing, Store, Task};
use crate::control::subject::Kind;
use crate::edge::glue;
use crate::error::{Error, ErrorKind};

/// The schema, a step for each version. A step that has been deployed is never changed: add another.
const MIGRATIONS: &[&[&str]] = &[&[
    // The head of each subject, and what is to be done in KV for it.
    "CREATE TABLE documents (subject TEXT PRIMARY KEY, revision INTEGER NOT NULL, deleted INTEGER NOT NULL, \
     created INTEGER NOT NULL, written INTEGER NOT NULL, task TEXT, attempts INTEGER NOT NULL, due INTEGER) WITHOUT ROWID",
    "CREATE INDEX documents_by_due ON documents (due) WHERE due IS NOT NULL",
    // Nothing here is ever changed or deleted.
    "CREATE TABLE revisions (subject TEXT NOT NULL, revision INTEGER NOT NULL, bytes BLOB, digest TEXT, \
     size INTEGER NOT NULL, time INTEGER NOT NULL, author_id TEXT NOT NULL, author_name TEXT NOT NULL, \
     summary TEXT NOT NULL, origin TEXT NOT NULL, PRIMARY KEY (subject, revision))",
    "CREATE INDEX revisions_by_digest ON revisions (subject, digest, origin, revision)",
]];

/// The columns of an [`Entry`], as [`entry`] reads them.
const ENTRY: &str = "revision, digest, size, time, author_id, author_name, summary, origin";

/// The database.
pub(super) struct Sqlite {
    storage: JsValue,
    /// Whether anything was written since it was last asked.
    changed: Cell<bool>,
}

impl std::fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sqlite")
    }
}

impl Sqlite {
    /// Of a Durable Object.
    pub(super) fn of(state: &State) -> Sqlite {
        Sqlite { storage: state.storage().as_raw().into(), changed: Cell::new(false) }
    }

    /// Brings the schema up to this version.
    pub(super) fn migrate(&self) -> Result<(), Error> {
        self.write(&[("CREATE TABLE IF NOT EXISTS versions (version INTEGER PRIMARY KEY)", vec![])])?;
        let rows = self.read("SELECT COALESCE(MAX(version), 0) FROM versions", vec![])?;
        let version = rows.first().map_or(0, |row| number(&row.get(0)));
        for (step, next) in MIGRATIONS.iter().zip(1_u64..) {
            if next > version {
                let mut statements: Vec<_> = step.iter().map(|sql| (*sql, vec![])).collect();
                statements.push(("INSERT INTO versions (version) VALUES (?)", vec![value(next)]));
                self.write(&statements)?;
            }
        }
        Ok(())
    }

    /// Whether anything was written since this was last asked.
    pub(super) fn take_changed(&self) -> bool {
        self.changed.replace(false)
    }

    fn read(&self, sql: &str, bindings: Vec<JsValue>) -> Result<Vec<Array>, Error> {
        let rows = glue::select(&self.storage, sql, bindings).map_err(|error| broken(&error))?;
        Ok(rows.iter().map(Array::unchecked_from_js).collect())
    }

    fn write(&self, statements: &[(&str, Vec<JsValue>)]) -> Result<(), Error> {
        self.changed.set(true);
        let list = Array::new();
        for (sql, bindings) in statements {
            list.push(&Array::of2(&JsValue::from(*sql), &bindings.iter().collect::<Array>()));
        }
        glue::transact(&self.storage, &list).map_err(|error| broken(&error))
    }

    fn entries(&self, rest: &str, bindings: Vec<JsValue>) -> Result<Vec<Entry>, Error> {
        let rows = self.read(&format!("SELECT {ENTRY} FROM revisions {rest}"), bindings)?;
        Ok(rows.iter().map(entry).collect())
    }
}

impl Store for Sqlite {
    fn newest(&self, subject: &Subject) -> Result<Option<Revision>, Error> {
        let rows = self.read(
            &format!("SELECT {ENTRY}, bytes FROM revisions WHERE subject = ? ORDER BY revision DESC LIMIT 1"),
            vec![key(subject)],
        )?;
        Ok(rows.first().map(revision))
    }

    fn revision(&self, subject: &Subject, number: u64) -> Result<Option<Revision>, Error> {
        let rows = self.read(
            &format!("SELECT {ENTRY}, bytes FROM revisions WHERE subject = ? AND revision = ?"),
            vec![key(subject), value(number)],
        )?;
        Ok(rows.first().map(revision))
    }

    fn by_digest(
        &self,
        subject: &Subject,
        digest: &Digest,
        origin: Option<Origin>,
    ) -> Result<Option<Entry>, Error> {
        let rest = "WHERE subject = ?1 AND digest = ?2 AND (?3 IS NULL OR origin = ?3) ORDER BY revision DESC LIMIT 1";
        let origin = origin.map_or(JsValue::NULL, |origin| JsValue::from(word(origin)));
        let entries = self.entries(rest, vec![key(subject), JsValue::from(digest.hex()), origin])?;
        Ok(entries.into_iter().next())
    }

    fn history(&self, subject: &Subject, before: u64, limit: u32) -> Result<Vec<Entry>, Error> {
        let rest = "WHERE subject = ? AND revision < ? ORDER BY revision DESC LIMIT ?";
        self.entries(rest, vec![key(subject), value(before), JsValue::from(limit)])
    }

    fn subjects(&self, kind: Kind, after: &str) -> Result<Vec<Subject>, Error> {
        // The keys of a kind lie together: ';' comes after ':'.
        let end = kind.prefix().replace(':', ";");
        let rows = self.read(
            "SELECT subject FROM documents WHERE subject > ? AND subject >= ? AND subject < ? AND deleted = 0 ORDER BY subject",
            vec![JsValue::from(after), JsValue::from(kind.prefix()), JsValue::from(end)],
        )?;
        Ok(rows.iter().filter_map(|row| Subject::of_key(&text(&row.get(0)))).collect())
    }

    fn standing(&self, subject: &Subject) -> Result<Standing, Error> {
        let sql = "SELECT created, written, task, attempts, due FROM documents WHERE subject = ?";
        let rows = self.read(sql, vec![key(subject)])?;
        Ok(rows.first().map(standing).unwrap_or_default())
    }

    fn commit(&mut self, commit: &Commit) -> Result<(), Error> {
        let Commit { subject, revision: Revision { entry, bytes }, standing } = commit;
        let (id, name) = &entry.author;
        let bytes = bytes.as_deref();
        let revision = vec![
            key(subject),
            value(entry.number),
            bytes.map_or(JsValue::NULL, |bytes| Uint8Array::from(bytes).into()),
            entry.digest.map_or(JsValue::NULL, |digest| JsValue::from(digest.hex())),
            value(entry.size),
            value(entry.time),
            JsValue::from(id),
            JsValue::from(name),
            JsValue::from(&entry.summary),
            JsValue::from(word(entry.origin)),
        ];
        let mut document = vec![key(subject), value(entry.number), value(u64::from(bytes.is_none()))];
        document.extend(columns(standing));
        self.write(&[
            ("INSERT INTO revisions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", revision),
            ("INSERT OR REPLACE INTO documents VALUES (?, ?, ?, ?, ?, ?, ?, ?)", document),
        ])
    }

    fn stand(&mut self, subject: &Subject, standing: &Standing) -> Result<(), Error> {
        let sql = "UPDATE documents SET created = ?, written = ?, task = ?, attempts = ?, due = ? WHERE subject = ?";
        let mut bindings = columns(standing).to_vec();
        bindings.push(key(subject));
        self.write(&[(sql, bindings)])
    }

    fn due(&self, now: u64, limit: u32) -> Result<Vec<Subject>, Error> {
        let sql = "SELECT subject FROM documents WHERE due <= ? ORDER BY due LIMIT ?";
        let rows = self.read(sql, vec![value(now), JsValue::from(limit)])?;
        Ok(rows.iter().filter_map(|row| Subject::of_key(&text(&row.get(0)))).collect())
    }

    fn next_due(&self) -> Result<Option<u64>, Error> {
        let rows = self.read("SELECT MIN(due) FROM documents WHERE due IS NOT NULL", vec![])?;
        Ok(rows.first().map(|row| row.get(0)).filter(|due| !due.is_null()).map(|due| number(&due)))
    }
}

/// The columns of [`ENTRY`].
fn entry(row: &Array) -> Entry {
    Entry {
        number: number(&row.get(0)),
        digest: Digest::from_hex(&text(&row.get(1))),
        size: number(&row.get(2)),
        time: number(&row.get(3)),
        author: (text(&row.get(4)), text(&row.get(5))),
        summary: text(&row.get(6)),
        origin: if text(&row.get(7)) == word(Origin::Kv) { Origin::Kv } else { Origin::Api },
    }
}

/// The columns of [`ENTRY`], then the bytes.
fn revision(row: &Array) -> Revision {
    let bytes = row.get(8);
    Revision { entry: entry(row), bytes: (!bytes.is_null()).then(|| Uint8Array::new(&bytes).to_vec()) }
}

/// `created, written, task, attempts, due`.
fn standing(row: &Array) -> Standing {
    let task = match text(&row.get(2)).as_str() {
        "write" => Some(Task::Write),
        "verify" => Some(Task::Verify),
        _ => None,
    };
    let attempts = u32::try_from(number(&row.get(3))).unwrap_or(u32::MAX);
    let outbox = task.map(|task| Outbox { task, attempts, due: number(&row.get(4)) });
    Standing { created: number(&row.get(0)), written: number(&row.get(1)), outbox }
}

/// `created, written, task, attempts, due`.
fn columns(standing: &Standing) -> [JsValue; 5] {
    let Standing { created, written, outbox } = standing;
    let task = outbox.map(|outbox| match outbox.task {
        Task::Write => "write",
        Task::Verify => "verify",
    });
    [
        value(*created),
        value(*written),
        task.map_or(JsValue::NULL, JsValue::from),
        JsValue::from(outbox.map_or(0, |outbox| outbox.attempts)),
        outbox.map_or(JsValue::NULL, |outbox| value(outbox.due)),
    ]
}

fn word(origin: Origin) -> &'static str {
    match origin {
        Origin::Api => "api",
        Origin::Kv => "kv",
    }
}

fn key(subject: &Subject) -> JsValue {
    JsValue::from(subject.to_string())
}

#[expect(clippy::cast_precision_loss, reason = "times and counts; a greater number finds what 2^63 does")]
fn value(number: u64) -> JsValue {
    JsValue::from(number.min(i64::MAX.unsigned_abs()) as f64)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "what `value` wrote")]
fn number(value: &JsValue) -> u64 {
    value.as_f64().unwrap_or_default() as u64
}

fn text(value: &JsValue) -> String {
    value.as_string().unwrap_or_default()
}

fn broken(error: &JsValue) -> Error {
    console_error!("control's database: {error:?}");
    let message =
        "Control's database did not take the statement; nothing was changed. Try again, and see the log.";
    Error::new(ErrorKind::ControlUnavailable, message)
}
