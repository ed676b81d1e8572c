//! The control API: which method and path is which operation, and who may ask for it.
//!
//! In scope: the one table that routing, scopes, `404`s and the OpenAPI document are made of. Out of scope: what an operation
//! does (`control`, `router::edit`, `gateway`), and model calls (`endpoint`).

use percent_encoding::percent_decode_str;

use crate::auth::Scope;
use crate::error::{Error, ErrorKind};

/// What the control API can be asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the table says what each does")]
pub enum Operation {
    ListRouters,
    CreateRouter,
    GetRouter,
    UpdateRouter,
    DeleteRouter,
    RouterHistory,
    RouterRevision,
    RollBackRouter,
    PromoteVariant,
    RampVariant,
    PlanRouter,
    ExplainRouter,
    GetGateway,
    PutGateway,
    GatewayHistory,
    RollBackGateway,
    ListDownstreams,
    AddDownstreams,
    GetDownstream,
    PutDownstream,
    DeleteDownstream,
    ListRules,
    AddRules,
    GetRule,
    PutRule,
    DeleteRule,
    ListKeys,
    CreateKey,
    GetKey,
    UpdateKey,
    RevokeKey,
    OpenApi,
}

/// Who may ask for an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everybody, without a key.
    Open,
    /// Whoever has the scope; `ADMIN_KEY` has all.
    Scope(Scope),
    /// `ADMIN_KEY` alone: who may make keys could make one with any scope.
    Admin,
}

/// An operation and how it is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// What.
    pub operation: Operation,
    /// Its HTTP method.
    pub method: &'static str,
    /// Its path; at most one `{name}`, which takes a whole segment up to a `:verb`.
    pub path: &'static str,
    /// Who may.
    pub access: Access,
    /// What it does, in a sentence.
    pub summary: &'static str,
}

const READ: Access = Access::Scope(Scope::Read);
const WRITE: Access = Access::Scope(Scope::Write);
const GATEWAY: Access = Access::Scope(Scope::Gateway);

/// Every operation, those of one path together.
#[rustfmt::skip]
pub const TABLE: &[Row] = &[
    row(Operation::ListRouters, "GET", "/router/v1/routers", READ, "Lists the routers, a page at a time."),
    row(Operation::CreateRouter, "POST", "/router/v1/routers", WRITE, "Makes a router."),
    row(Operation::GetRouter, "GET", "/router/v1/routers/{name}", READ, "A router as it is stored, and how old what calls see may be."),
    row(Operation::UpdateRouter, "PATCH", "/router/v1/routers/{name}", WRITE, "Changes the fields of a router that `update_mask` names."),
    row(Operation::DeleteRouter, "DELETE", "/router/v1/routers/{name}", WRITE, "Deletes a router; its history stays."),
    row(Operation::RouterHistory, "GET", "/router/v1/routers/{name}/history", READ, "The revisions of a router, newest first."),
    row(Operation::RouterRevision, "GET", "/router/v1/routers/{name}/history/{revision}", READ, "A router as it was at a revision."),
    row(Operation::RollBackRouter, "POST", "/router/v1/routers/{name}:rollback", WRITE, "Makes an earlier revision the newest."),
    row(Operation::PromoteVariant, "POST", "/router/v1/routers/{name}:promote", WRITE, "Sets a variant's weight, and scales the others."),
    row(Operation::RampVariant, "POST", "/router/v1/routers/{name}:ramp", WRITE, "Starts, pauses, resumes or cancels a ramp."),
    row(Operation::PlanRouter, "POST", "/router/v1/routers/{name}:plan", READ, "Says what a change would do, without saving it."),
    row(Operation::ExplainRouter, "POST", "/router/v1/routers/{name}:explain", READ, "Says which variant a call would get, and why."),
    row(Operation::GetGateway, "GET", "/router/v1/gateway", READ, "The downstreams and rules."),
    row(Operation::PutGateway, "PUT", "/router/v1/gateway", GATEWAY, "Replaces the downstreams and rules."),
    row(Operation::GatewayHistory, "GET", "/router/v1/gateway/history", READ, "The revisions of the gateway, newest first."),
    row(Operation::RollBackGateway, "POST", "/router/v1/gateway:rollback", GATEWAY, "Makes an earlier revision the newest."),
    row(Operation::ListDownstreams, "GET", "/router/v1/gateway/downstreams", READ, "The downstreams."),
    row(Operation::AddDownstreams, "POST", "/router/v1/gateway/downstreams", GATEWAY, "Adds one downstream, or a list of them."),
    row(Operation::GetDownstream, "GET", "/router/v1/gateway/downstreams/{id}", READ, "One downstream."),
    row(Operation::PutDownstream, "PUT", "/router/v1/gateway/downstreams/{id}", GATEWAY, "Replaces or adds a downstream."),
    row(Operation::DeleteDownstream, "DELETE", "/router/v1/gateway/downstreams/{id}", GATEWAY, "Removes a downstream."),
    row(Operation::ListRules, "GET", "/router/v1/gateway/rules", READ, "The rules, in order of creation."),
    row(Operation::AddRules, "POST", "/router/v1/gateway/rules", GATEWAY, "Adds one rule, or a list of them."),
    row(Operation::GetRule, "GET", "/router/v1/gateway/rules/{id}", READ, "One rule."),
    row(Operation::PutRule, "PUT", "/router/v1/gateway/rules/{id}", GATEWAY, "Replaces or adds a rule."),
    row(Operation::DeleteRule, "DELETE", "/router/v1/gateway/rules/{id}", GATEWAY, "Removes a rule."),
    row(Operation::ListKeys, "GET", "/router/v1/keys", Access::Admin, "The client keys, never the keys themselves."),
    row(Operation::CreateKey, "POST", "/router/v1/keys", Access::Admin, "Makes a client key, which is shown this once."),
    row(Operation::GetKey, "GET", "/router/v1/keys/{id}", Access::Admin, "One client key's record."),
    row(Operation::UpdateKey, "PATCH", "/router/v1/keys/{id}", Access::Admin, "Renames a key, or changes when it expires and what it may do."),
    row(Operation::RevokeKey, "DELETE", "/router/v1/keys/{id}", Access::Admin, "Revokes a key for ever."),
    row(Operation::OpenApi, "GET", "/openapi.json", Access::Open, "This description."),
];

const fn row(
    operation: Operation,
    method: &'static str,
    path: &'static str,
    access: Access,
    summary: &'static str,
) -> Row {
    Row { operation, method, path, access, summary }
}

/// A request to the control API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// What is to be done.
    pub operation: Operation,
    /// What stands in the path's braces, in order, percent-decoded.
    pub names: Vec<String>,
}

impl Asked {
    /// The router, downstream, rule or key that the path names; empty where it names none.
    pub fn name(&self) -> &str {
        self.names.first().map_or("", String::as_str)
    }
}

/// What `method` on `path` (percent-encoded, without query) asks for; `None` where no operation is at that path. One slash at
/// the end is ignored.
///
/// # Errors
/// `MethodNotAllowed` where the path takes other methods, `InvalidRequest` where a name in it is not UTF-8.
pub fn parse(method: &str, path: &str) -> Result<Option<Asked>, Error> {
    let path = path.strip_suffix('/').unwrap_or(path);
    let mut methods = Vec::new();
    for row in TABLE {
        let Some(encoded) = matched(row.path, path) else { continue };
        if row.method != method {
            methods.push(row.method);
            continue;
        }
        let names = encoded.into_iter().map(decoded).collect::<Result<_, _>>()?;
        return Ok(Some(Asked { operation: row.operation, names }));
    }
    if methods.is_empty() {
        return Ok(None);
    }
    let message = format!("This path takes {}, not {method}.", methods.join(" or "));
    Err(Error::new(ErrorKind::MethodNotAllowed(allowed(&methods)), message))
}

/// The row of an operation.
pub fn row_of(operation: Operation) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.operation == operation)
}

/// What a path has where its template has braces; `None` where it is another path.
fn matched<'p>(template: &str, path: &'p str) -> Option<Vec<&'p str>> {
    let mut names = Vec::new();
    let mut segments = path.split('/');
    for wanted in template.split('/') {
        let segment = segments.next()?;
        match wanted.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
            None if wanted == segment => {}
            None => return None,
            // The name of a router has no colon, so a verb begins at the first; ids of keys and rules have none either.
            Some((_, verb)) => {
                let name = segment.strip_suffix(verb).filter(|name| !name.is_empty())?;
                if verb.is_empty() && name.contains(':') {
                    return None;
                }
                names.push(name);
            }
        }
    }
    segments.next().is_none().then_some(names)
}

fn decoded(encoded: &str) -> Result<String, Error> {
    let decoded = percent_decode_str(encoded).decode_utf8();
    let message = "A name in the path is not UTF-8 once it is percent-decoded.";
    decoded.map(std::borrow::Cow::into_owned).map_err(|_| Error::invalid("name", message))
}

/// The methods of a path, as the header `allow` has them.
fn allowed(methods: &[&str]) -> &'static [&'static str] {
    const SETS: &[&[&str]] = &[
        &["GET"],
        &["POST"],
        &["GET", "POST"],
        &["GET", "PUT"],
        &["GET", "PATCH", "DELETE"],
        &["GET", "PUT", "DELETE"],
    ];
    SETS.iter().copied().find(|set| *set == methods).unwrap_or(&[])
}
