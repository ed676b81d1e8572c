//! The table of scripts. Each is named for the rule that it proves; how to read one, `script` says.

use turnout::exchange::policy::Triggers;

use super::script::{check, stream, whole};

#[test]
fn what_leads_on() {
    check(
        "an answer that says something is the caller's",
        stream("a b"),
        "
        start          > a 600000
        head +80       > await
        ok +20         > relay 200
        = a:200:100ms
    ",
    );
    check(
        "a 503, then a stall, then an answer",
        stream("a b c").with(|policy| policy.ttft_ms = Some(1500)),
        "
        start          > a 1500 cancel
        503 +38        > b 1500 cancel
        head +200      > await
        timeout +1300  > c 1500 cancel
        head +80       > await
        ok +20         > relay 200
        = a:503:38ms,b:200-timeout:1500ms,c:200:100ms
    ",
    );
    check(
        "an error inside a 200 is a failure like any other",
        stream("a b"),
        "
        start                      > a
        head +100                  > await
        200:overloaded_error +12   > b
        head +100                  > await
        ok                         > relay 200
        = a:200-in_band_error:112ms,b:200:100ms
    ",
    );
    check(
        "a 429 goes to the other target at once, whatever it asks",
        stream("a b"),
        "
        start               > a
        429 after 1000 +38  > b
        ok +400             > relay 200
        = a:429:38ms,b:200:400ms
    ",
    );
    for status in ["408", "409", "425", "429", "500", "502", "503", "504", "520", "529", "599"] {
        check(
            "what is not the caller's fault leads on",
            stream("a b"),
            &format!(
                "
            start        > a
            {status} +1  > b
            ok +1        > relay 200
            = a:{status}:1ms,b:200:1ms
        "
            ),
        );
    }
    for status in ["400", "405", "410", "413", "415", "422", "451", "499"] {
        check(
            "the caller's own mistake is passed on at once",
            stream("a b"),
            &format!(
                "
            start        > a
            {status} +1  > relay {status}
            = a:{status}:1ms
        "
            ),
        );
    }
    check(
        "the caller's own mistake inside a 200 gets its status",
        stream("a b"),
        "
        start                              > a
        200:context_length_exceeded +1     > relay 400 in_band_error
        = a:200-in_band_error:1ms
    ",
    );
    check(
        "a target that cannot be reached leads on",
        stream("a b"),
        "
        start     > a
        dead +3   > b
        ok +1     > relay 200
        = a:unreachable:3ms,b:200:1ms
    ",
    );
    check(
        "an answer that broke before it said anything leads on",
        stream("a b"),
        "
        start      > a
        head +50   > await
        broke +10  > b
        ok +1      > relay 200
        = a:200-cut:60ms,b:200:1ms
    ",
    );
    check(
        "a connection that breaks after the head is a cut answer, and not opened again",
        stream("a b"),
        "
        start      > a
        head +50   > await
        reset +10  > b
        ok +1      > relay 200
        = a:200-cut:60ms,b:200:1ms
    ",
    );
    check(
        "one request alone that is too large for a minute's tokens is for another target",
        stream("a b"),
        "
        start                       > a
        413:rate_limit_exceeded +1  > b
        ok +1                       > relay 200
        = a:413:1ms,b:200:1ms
    ",
    );
}

#[test]
fn settings_decide() {
    check(
        "a status that is not in the list is passed on",
        stream("a b").on(|on| on.statuses = vec![429]),
        "
        start   > a
        503 +1  > relay 503
        = a:503:1ms
    ",
    );
    check(
        "a status that was added leads on",
        stream("a b").on(|on| on.statuses.push(400)),
        "
        start   > a
        400 +1  > b
        ok +1   > relay 200
        = a:400:1ms,b:200:1ms
    ",
    );
    check(
        "an error inside a 200 counts by what it stands for",
        stream("a b").on(|on| on.statuses = vec![429]),
        "
        start              > a
        200:rate_limit +1  > b
        200:502 +1         > relay 502 in_band_error
        = a:200-in_band_error:1ms,b:200-in_band_error:1ms
    ",
    );
    check(
        "`connection` left out",
        stream("a b").on(|on| on.connection = false),
        "
        start     > a
        reset +1  > refuse upstream_unreachable
        = a:unreachable:1ms
        says a: the downstream could not be reached
    ",
    );
    check(
        "`timeout` left out",
        whole("a b").on(|on| on.timeout = false).with(|policy| policy.attempt_ms = Some(50)),
        "
        start        > a 50 cancel
        timeout +50  > refuse upstream_timeout
        = a:timeout:50ms
    ",
    );
    check(
        "`cut` left out",
        stream("a b").on(|on| on.cut = false),
        "
        start     > a
        broke +1  > refuse upstream_unreachable
        = a:200-cut:1ms
    ",
    );
    check(
        "`credentials` left out",
        stream("a b").on(|on| on.credentials = false),
        "
        start   > a
        401 +1  > refuse upstream_credentials
        = a:401:1ms
    ",
    );
    check(
        "`model` left out",
        stream("a b").on(|on| on.model = false),
        "
        start   > a
        404 +1  > refuse upstream_model
        = a:404:1ms
    ",
    );
    check(
        "an empty answer is passed on",
        stream("a b"),
        "
        start      > a
        head +10   > await
        empty +10  > relay 200
        = a:200:20ms
    ",
    );
    check(
        "an empty answer leads on where the route asks for that",
        stream("a b").with(|policy| policy.retry_on_empty = true),
        "
        start      > a
        empty +10  > b
        ok +5      > relay 200
        = a:200-empty:10ms,b:200:5ms
    ",
    );
    check(
        "the last empty answer is passed on all the same",
        stream("a b").with(|policy| policy.retry_on_empty = true),
        "
        start      > a
        empty +10  > b
        empty +5   > relay 200 empty
        = a:200-empty:10ms,b:200-empty:5ms
    ",
    );
    check(
        "no more attempts than allowed",
        stream("a b c").with(|policy| policy.attempts = 2),
        "
        start   > a
        503 +1  > b
        500 +1  > relay 500
        = a:503:1ms,b:500:1ms
    ",
    );
    check(
        "one attempt is made at least",
        stream("a b").with(|policy| policy.attempts = 0),
        "
        start   > a
        503 +1  > relay 503
        = a:503:1ms
    ",
    );
    check(
        "a retry is an attempt",
        stream("a").with(|policy| policy.attempts = 1),
        "
        start               > a
        429 after 1000 +1   > relay 429
        = a:429:1ms
    ",
    );
}

#[test]
fn budgets() {
    check(
        "a stream has its time to the first token, each attempt anew",
        stream("a b").with(|policy| policy.ttft_ms = Some(300)),
        "
        start         > a 300 cancel
        timeout +300  > b 300 cancel
        ok +299       > relay 200
        = a:timeout:300ms,b:200:299ms
    ",
    );
    check(
        "a stream has no `attempt_timeout`",
        stream("a").with(|policy| policy.attempt_ms = Some(300)),
        "
        start     > a 600000
        ok +5000  > relay 200
        = a:200:5000ms
    ",
    );
    check(
        "other calls have no `ttft_timeout`",
        whole("a").with(|policy| policy.ttft_ms = Some(300)),
        "
        start     > a 600000
        ok +5000  > relay 200
        = a:200:5000ms
    ",
    );
    check(
        "no attempt has more time than the deadline leaves",
        stream("a b").with(|policy| {
            policy.ttft_ms = Some(1500);
            policy.deadline_ms = 2000;
        }),
        "
        start          > a 1500 cancel
        timeout +1500  > b 500
        ok +400        > relay 200
        = a:timeout:1500ms,b:200:400ms
    ",
    );
    check(
        "a budget that ends with the deadline is the deadline's",
        stream("a").with(|policy| {
            policy.ttft_ms = Some(2000);
            policy.deadline_ms = 2000;
        }),
        "
        start          > a 2000
        timeout +2000  > refuse upstream_timeout
        = a:timeout:2000ms
    ",
    );
}

#[test]
fn the_deadline_at_each_point() {
    let short = || stream("a b").with(|policy| policy.deadline_ms = 1000);
    check(
        "before anything is sent",
        stream("a").with(|policy| policy.deadline_ms = 0),
        "
        start  > refuse upstream_timeout
        =
        says raise `deadline`
    ",
    );
    check(
        "before the head",
        short(),
        "
        start          > a 1000
        timeout +1000  > refuse upstream_timeout
        = a:timeout:1000ms
        says a: the downstream did not answer in time
    ",
    );
    check(
        "after the head",
        short(),
        "
        start         > a 1000
        head +600     > await
        timeout +400  > refuse upstream_timeout
        = a:200-timeout:1000ms
    ",
    );
    check(
        "a timer that is early is the deadline's all the same",
        short(),
        "
        start         > a 1000
        timeout +998  > refuse upstream_timeout
        = a:timeout:998ms
    ",
    );
    check(
        "in the second attempt",
        short(),
        "
        start         > a 1000
        503 +700      > b 300
        timeout +300  > refuse upstream_timeout
        = a:503:700ms,b:timeout:300ms
        says It was the last of 2 attempts
    ",
    );
    check(
        "with a failure: the failure is the answer",
        short(),
        "
        start      > a 1000
        503 +1000  > relay 503
        = a:503:1000ms
    ",
    );
    check(
        "a pause that does not fit is not begun",
        stream("a").with(|policy| policy.deadline_ms = 1000),
        "
        start               > a 1000
        429 after 900 +100  > relay 429
        = a:429:100ms
    ",
    );
    check(
        "a pause that took too long",
        stream("a").with(|policy| policy.deadline_ms = 2000),
        "
        start             > a 2000
        429 after 500 +1  > pause 500..750
        paused +1500      > relay 429
        = a:429:1ms
    ",
    );
    check(
        "at the moment of the answer: the answer is there",
        short(),
        "
        start     > a 1000
        ok +1000  > relay 200
        = a:200:1000ms
    ",
    );
    check(
        "while the next is being prepared",
        short(),
        "
        start             > a 1000
        503 +999          > b 1
        unsendable +5     > relay 503
        note b skipped
        = a:503:999ms
    ",
    );
}

#[test]
fn the_caller_leaves_at_each_point() {
    check(
        "before the first step",
        stream("a"),
        "
        start      > a
        left       > over
        ok         > over
        = a:client_cancelled:0ms
    ",
    );
    check(
        "before the head",
        stream("a b"),
        "
        start     > a
        left +70  > over
        = a:client_cancelled:70ms
    ",
    );
    check(
        "after the head",
        stream("a b"),
        "
        start     > a
        head +50  > await
        left +20  > over
        503       > over
        = a:200-client_cancelled:70ms
    ",
    );
    check(
        "in the second attempt",
        stream("a b"),
        "
        start    > a
        503 +1   > b
        left +2  > over
        = a:503:1ms,b:client_cancelled:2ms
    ",
    );
    check(
        "in a pause",
        stream("a"),
        "
        start              > a
        429 after 1000 +5  > pause 1000..1250
        left +300          > over
        paused             > over
        = a:429:5ms
    ",
    );
    check(
        "before a connection is opened again",
        stream("a"),
        "
        start     > a
        reset +5  > pause 0..5
        left      > over
        = a:unreachable:5ms
    ",
    );
    check(
        "after commitment",
        stream("a b"),
        "
        start     > a
        ok +10    > relay 200
        left +10  > over
        503 +1    > over
        = a:200:10ms
    ",
    );
    check(
        "after a refusal",
        stream("a"),
        "
        start     > a
        401 +10   > refuse upstream_credentials
        left +10  > over
        = a:401:10ms
    ",
    );
}

#[test]
fn the_same_target_again() {
    check(
        "a connection that was reset is opened once more",
        stream("a b"),
        "
        start     > a
        reset +2  > pause 0..5
        paused    > a
        ok +90    > relay 200
        = a:unreachable:2ms,a:200:90ms
    ",
    );
    check(
        "reset, reset: the other target",
        stream("a b"),
        "
        start     > a
        reset +2  > pause 0..5
        paused    > a
        reset +2  > b
        reset +2  > pause 0..5
        paused    > b
        reset +2  > refuse upstream_unreachable
        = a:unreachable:2ms,a:unreachable:2ms,b:unreachable:2ms,b:unreachable:2ms
        says b: the downstream could not be reached
    ",
    );
    check(
        "the last attempt is for a target that had none",
        stream("a b").with(|policy| policy.attempts = 2),
        "
        start     > a
        reset +2  > b
        ok +9     > relay 200
        = a:unreachable:2ms,b:200:9ms
    ",
    );
    check(
        "or for the same, where there is no other",
        stream("a").with(|policy| policy.attempts = 2),
        "
        start     > a
        reset +2  > pause 0..5
        paused    > a
        reset +2  > refuse upstream_unreachable
        = a:unreachable:2ms,a:unreachable:2ms
    ",
    );
    check(
        "no connection at all is not tried again",
        stream("a"),
        "
        start    > a
        dead +2  > refuse upstream_unreachable
        = a:unreachable:2ms
    ",
    );
    check(
        "a 503 is not tried again",
        stream("a"),
        "
        start   > a
        503 +2  > relay 503
        = a:503:2ms
    ",
    );
    check(
        "a 429 that asks for a second, of the only target",
        stream("a"),
        "
        start              > a
        429 after 1000 +5  > pause 1000..1250
        paused             > a
        ok +90             > relay 200
        = a:429:5ms,a:200:90ms
    ",
    );
    check(
        "a 503 may ask too",
        stream("a"),
        "
        start              > a
        503 after 1000 +5  > pause 1000..1250
        paused             > a
        ok +90             > relay 200
        = a:503:5ms,a:200:90ms
    ",
    );
    check(
        "at most twice",
        stream("a"),
        "
        start              > a
        429 after 1000 +5  > pause 1000..1250
        paused             > a
        429 after 1000 +5  > pause 1000..1500
        paused             > a
        429 after 1000 +5  > relay 429
        = a:429:5ms,a:429:5ms,a:429:5ms
    ",
    );
    check(
        "ten seconds are waited for",
        stream("a"),
        "
        start               > a
        429 after 10000 +5  > pause 10000..10250
        left                > over
        = a:429:5ms
    ",
    );
    check(
        "more than ten are not",
        stream("a"),
        "
        start               > a
        429 after 10001 +5  > relay 429
        = a:429:5ms
    ",
    );
    check(
        "nor is a 429 that does not say how long",
        stream("a"),
        "
        start   > a
        429 +5  > relay 429
        = a:429:5ms
    ",
    );
    check(
        "when all are spent, the one that is back first, less what has passed",
        stream("a b"),
        "
        start               > a
        429 after 2000 +0   > b
        429 after 5000 +500 > pause 1500..1750
        paused              > a
        ok +1               > relay 200
        = a:429:0ms,b:429:500ms,a:200:1ms
    ",
    );
    check(
        "then the other one",
        stream("a b"),
        "
        start               > a
        429 after 2000      > b
        429 after 3000      > pause 2000..2250
        paused              > a
        503 +1              > pause 749..1250
        paused              > b
        ok +1               > relay 200
        = a:429:0ms,b:429:0ms,a:503:1ms,b:200:1ms
    ",
    );
    check(
        "a reset does not use up the patience for a pause",
        stream("a"),
        "
        start              > a
        reset              > pause 0..5
        paused             > a
        429 after 1000     > pause 1000..1250
        paused             > a
        429 after 1000     > pause 1000..1500
        paused             > a
        ok +1              > relay 200
        = a:unreachable:0ms,a:429:0ms,a:429:0ms,a:200:1ms
    ",
    );
    check(
        "an operator's fault is not gone after a pause",
        stream("a"),
        "
        start              > a
        402 after 1000 +5  > refuse upstream_credentials
        = a:402:5ms
    ",
    );
    check(
        "an error inside a 200 may ask as well",
        stream("a"),
        "
        start                           > a
        200:rate_limit_error after 500  > pause 500..750
        paused                          > a
        ok +1                           > relay 200
        = a:200-in_band_error:0ms,a:200:1ms
    ",
    );
}

#[test]
fn faults_of_the_operator() {
    for status in ["401", "402", "403", "429:insufficient_quota", "400:invalid_api_key", "400:-!", "200:401"]
    {
        let shown = status.split(':').next().unwrap().replace("200", "200-in_band_error");
        check(
            "a credential that is refused leads on",
            stream("a b"),
            &format!(
                "
            start        > a
            {status} +1  > b
            ok +1        > relay 200
            = a:{shown}:1ms,b:200:1ms
        "
            ),
        );
        check(
            "and its answer is ours, for theirs may show the key",
            stream("a"),
            &format!(
                "
            start        > a
            {status} +1  > refuse upstream_credentials
            = a:{shown}:1ms
            says a: the downstream
        "
            ),
        );
    }
    for status in ["404", "400:model_decommissioned", "503:model_not_found", "200:NOT_FOUND"] {
        let shown = status.split(':').next().unwrap().replace("200", "200-in_band_error");
        check(
            "a model that is not there leads on",
            stream("a b"),
            &format!(
                "
            start        > a
            {status} +1  > b
            ok +1        > relay 200
            = a:{shown}:1ms,b:200:1ms
        "
            ),
        );
        check(
            "and its answer is ours",
            stream("a"),
            &format!(
                "
            start        > a
            {status} +1  > refuse upstream_model
            = a:{shown}:1ms
            says check the name
        "
            ),
        );
    }
    check(
        "a redirect leads on",
        stream("a b"),
        "
        start   > a
        307 +1  > b
        ok +1   > relay 200
        = a:307:1ms,b:200:1ms
    ",
    );
    check(
        "a redirect is not passed on",
        stream("a"),
        "
        start   > a
        302 +1  > refuse upstream_unreachable
        = a:302:1ms
        says set its base_url
    ",
    );
    check(
        "it is not the last word where something else comes after it",
        stream("a b"),
        "
        start   > a
        401 +1  > b
        503 +1  > relay 503
        = a:401:1ms,b:503:1ms
    ",
    );
    check(
        "it is the last word where it comes last",
        stream("a b"),
        "
        start   > a
        503 +1  > b
        401 +1  > refuse upstream_credentials
        = a:503:1ms,b:401:1ms
        says It was the last of 2 attempts
    ",
    );
    check(
        "a 403 says that the content may be at fault",
        stream("a"),
        "
        start   > a
        403 +1  > refuse upstream_credentials
        = a:403:1ms
        says whether what was sent is allowed there
    ",
    );
}

#[test]
fn state_that_a_target_does_not_have() {
    check(
        "the others of the route are asked, and only then",
        stream("a b").holding("c d"),
        "
        start                                > a
        404:previous_response_not_found +10  > b
        400:previous_response_not_found +10  > c
        head +5                              > await
        ok +5                                > relay 200
        = a:404:10ms,b:400:10ms,c:200:10ms
        start                                > a
        503 +1                               > b
        503 +1                               > relay 503
        = a:503:1ms,b:503:1ms
    ",
    );
    check(
        "what the last one says is the caller's, whom it concerns",
        stream("a").holding("b"),
        "
        start                            > a
        404:input +10                    > b
        400:invalid_encrypted_content    > relay 400
        = a:404:10ms,b:400:0ms
        start                            > a
        200:previous_response_not_found  > b
        200:previous_response_not_found  > relay 400 in_band_error
    ",
    );
    check(
        "those who cannot be called are passed over",
        stream("a").holding("b c"),
        "
        start             > a
        404:conversation  > b
        unsendable        > c
        unserved          > relay 404
        note b skipped
        note c skipped
        = a:404:0ms
    ",
    );
    check(
        "it leads on whatever the policy names, within its attempts",
        stream("a")
            .holding("b c")
            .on(|on| *on = Triggers { statuses: Vec::new(), model: false, ..on.clone() })
            .with(|policy| policy.attempts = 2),
        "
        start             > a
        404:conversation  > b
        404:conversation  > relay 404
    ",
    );
    let many = "
        start             > a
        404:conversation  > relay 404
    ";
    check("it says nothing against the target: no circuit opens", stream("a"), &many.repeat(9));
}

#[test]
fn targets_that_cannot_be_called() {
    check(
        "the first",
        stream("a b"),
        "
        start       > a
        unsendable  > b
        note a skipped: no credential; set A_API_KEY
        ok +1       > relay 200
        = b:200:1ms
    ",
    );
    check(
        "the last: the answer of the one before",
        stream("a b"),
        "
        start       > a
        503 +1      > b
        unsendable  > relay 503
        note b skipped: no credential
        = a:503:1ms
    ",
    );
    check(
        "all: what is wrong with the first",
        stream("a b"),
        "
        start       > a
        unsendable  > b
        unserved    > refuse upstream_credentials
        note a skipped: no credential
        note b skipped: nobody serves it
        =
        says set A_API_KEY
    ",
    );
    check(
        "the only one: it is said once",
        stream("a"),
        "
        start       > a
        unserved    > refuse upstream_model
        =
        says nobody serves it
    ",
    );
    check(
        "they do not count as attempts",
        stream("a b c").with(|policy| policy.attempts = 1),
        "
        start       > a
        unserved    > b
        note a skipped: nobody serves it
        ok +1       > relay 200
        = b:200:1ms
    ",
    );
    check(
        "an empty plan",
        stream(""),
        "
        start  > refuse invalid_request
        =
        says `ignore` leaves no model
    ",
    );
    check(
        "what has a head was sent",
        stream("a"),
        "
        start       > a
        head        > await
        unsendable  > await
        ok +1       > relay 200
        = a:200:1ms
    ",
    );
}

#[test]
fn the_last_answer() {
    check(
        "an error inside a 200 gets the status that it stands for",
        stream("a"),
        "
        start                   > a
        200:overloaded_error    > relay 529 in_band_error
        = a:200-in_band_error:0ms
    ",
    );
    check(
        "its number where it has one",
        stream("a"),
        "
        start    > a
        200:503  > relay 503 in_band_error
        = a:200-in_band_error:0ms
    ",
    );
    check(
        "502 where nobody knows the word",
        stream("a"),
        "
        start             > a
        200:kaput         > relay 502 in_band_error
        = a:200-in_band_error:0ms
    ",
    );
    check(
        "its own status, whatever its word stands for",
        stream("a"),
        "
        start                    > a
        413:rate_limit_exceeded  > relay 413
        = a:413:0ms
    ",
    );
    check(
        "a status that no answer of ours can have",
        stream("a"),
        "
        start  > a
        999    > relay 502
        = a:999:0ms
    ",
    );
    check(
        "a cut answer is no answer",
        stream("a"),
        "
        start  > a
        broke  > refuse upstream_unreachable
        = a:200-cut:0ms
        says before it had said anything
    ",
    );
    check(
        "a timeout after a 503 is a timeout",
        stream("a b").with(|policy| policy.ttft_ms = Some(300)),
        "
        start         > a
        503           > b
        timeout +300  > refuse upstream_timeout
        = a:503:0ms,b:timeout:300ms
    ",
    );
    check(
        "a 503 after a timeout is a 503",
        stream("a b").with(|policy| policy.ttft_ms = Some(300)),
        "
        start         > a
        timeout +300  > b
        503           > relay 503
        = a:timeout:300ms,b:503:0ms
    ",
    );
}

#[test]
fn retry_after() {
    check(
        "an earlier target's word is carried to the last answer",
        stream("a b"),
        "
        start               > a
        429 after 60000     > b
        503 +30             > relay 503 retry-after 60
        = a:429:0ms,b:503:30ms
    ",
    );
    check(
        "less what has passed",
        stream("a b"),
        "
        start               > a
        429 after 60000     > b
        503 +20500          > relay 503 retry-after 40
        = a:429:0ms,b:503:20500ms
    ",
    );
    check(
        "but not to an answer with a word of its own",
        stream("a b"),
        "
        start               > a
        429 after 20000     > b
        429 after 60000     > relay 429
        = a:429:0ms,b:429:0ms
    ",
    );
    check(
        "to an error inside a 200, whose head is ours, its own",
        stream("a"),
        "
        start                             > a
        200:rate_limit_error after 20000  > relay 429 in_band_error retry-after 20
        = a:200-in_band_error:0ms
    ",
    );
    check(
        "to a refusal",
        stream("a b"),
        "
        start               > a
        429 after 20000     > b
        401                 > refuse upstream_credentials retry-after 20
        = a:429:0ms,b:401:0ms
    ",
    );
    check(
        "the one that is back first",
        stream("a b c"),
        "
        start               > a
        429 after 60000     > b
        429 after 20000     > c
        500                 > relay 500 retry-after 20
        = a:429:0ms,b:429:0ms,c:500:0ms
    ",
    );
    check(
        "not to an answer that no waiting would change",
        stream("a b"),
        "
        start               > a
        429 after 20000     > b
        400                 > relay 400
        = a:429:0ms,b:400:0ms
    ",
    );
    check(
        "nor to a good one",
        stream("a b"),
        "
        start               > a
        429 after 20000     > b
        ok                  > relay 200
        = a:429:0ms,b:200:0ms
    ",
    );
    check(
        "one second at least",
        stream("a b").with(|policy| policy.attempts = 2),
        "
        start               > a
        429 after 100       > b
        503 +700            > relay 503 retry-after 1
        = a:429:0ms,b:503:700ms
    ",
    );
    check(
        "a target that answered otherwise since then asks no more",
        stream("a b"),
        "
        start               > a
        429 after 1000      > b
        503                 > pause 1000..1250
        paused              > a
        503                 > relay 503
        = a:429:0ms,b:503:0ms,a:503:0ms
    ",
    );
}

/// Five calls of which the first target fails each.
const FIVE_FAILURES: &str = "
    start  > a
    503    > b
    ok     > relay 200
    start  > a
    dead   > b
    ok     > relay 200
    start  > a
    broke  > b
    ok     > relay 200
    start  > a
    200:server_error > b
    ok     > relay 200
    start  > a
    404    > b
    ok     > relay 200
";

#[test]
fn circuits_in_calls() {
    let after_five = |name: &str, rest: &str| check(name, stream("a b"), &format!("{FIVE_FAILURES}{rest}"));
    after_five(
        "a target that failed five times is left alone, and said so",
        "
        start   > b
        note a left alone: 5 failures in a row, tried again in 5 s
        ok +10  > relay 200
        = b:200:10ms
    ",
    );
    after_five(
        "it is tried when all others are spent",
        "
        start  > b
        note a left alone
        503    > a
        note a is tried all the same: no other is left
        ok +7  > relay 200
        = b:503:0ms,a:200:7ms
    ",
    );
    after_five(
        "and is well again when it answers",
        "
        start  > b
        note a left alone
        503    > a
        note a is tried all the same
        ok     > relay 200
        start  > a
        ok     > relay 200
    ",
    );
    after_five(
        "after its time it is tried by a call",
        "
        start +5000  > a
        note a is tried again after failures
        ok           > relay 200
        start        > a
        ok           > relay 200
    ",
    );
    after_five(
        "by one alone",
        "
        start +5000  > a
        note a is tried again
        start        > b
        note a left alone: 5 failures in a row, another call is trying it
        ok           > relay 200
    ",
    );
    after_five(
        "a probe that fails leaves it alone for longer",
        "
        start +5000  > a
        note a is tried again
        503          > b
        ok           > relay 200
        start +9999  > b
        note a left alone: 6 failures in a row, tried again in 1 s
        ok           > relay 200
        start +1     > a
        note a is tried again
        ok           > relay 200
    ",
    );
    after_five(
        "a probe whose caller leaves gives way to another",
        "
        start +5000  > a
        note a is tried again
        left +10     > over
        start        > a
        note a is tried again
        ok           > relay 200
    ",
    );
    after_five(
        "a probe that could not be sent gives way to another",
        "
        start +5000  > a
        note a is tried again
        unsendable   > b
        note a skipped
        ok           > relay 200
        start        > a
        note a is tried again
        ok           > relay 200
    ",
    );
    after_five(
        "a probe that never reports gives way after 30 s",
        "
        start +5000   > a
        note a is tried again
        start +30000  > a
        note a is tried again
        ok            > relay 200
    ",
    );
    check(
        "the last remaining target is never refused",
        stream("a"),
        "
        start  > a
        503    > relay 503
        start  > a
        503    > relay 503
        start  > a
        503    > relay 503
        start  > a
        503    > relay 503
        start  > a
        503    > relay 503
        start  > a
        note a left alone: 5 failures in a row
        note a is tried all the same: no other is left
        ok +1  > relay 200
        = a:200:1ms
    ",
    );
    check(
        "what a 429 asks for is honoured by the next call",
        stream("a b"),
        "
        start               > a
        429 after 12000     > b
        ok +500             > relay 200
        start               > b
        note a left alone: it asked to be left alone for another 12 s
        ok                  > relay 200
        start +11500        > a
        ok                  > relay 200
    ",
    );
    check(
        "slow calls that do not stream never open it",
        whole("a b").with(|policy| policy.attempt_ms = Some(100)),
        "
        start         > a
        timeout +100  > b
        ok            > relay 200
        start         > a
        timeout +100  > b
        ok            > relay 200
        start         > a
        timeout +100  > b
        ok            > relay 200
        start         > a
        timeout +100  > b
        ok            > relay 200
        start         > a
        timeout +100  > b
        ok            > relay 200
        start         > a
        ok            > relay 200
    ",
    );
    check(
        "streams that stall do",
        stream("a b").with(|policy| policy.ttft_ms = Some(300)),
        "
        start         > a
        timeout +300  > b
        ok            > relay 200
        start         > a
        timeout +300  > b
        ok            > relay 200
        start         > a
        timeout +300  > b
        ok            > relay 200
        start         > a
        timeout +300  > b
        ok            > relay 200
        start         > a
        timeout +300  > b
        ok            > relay 200
        start         > b
        note a left alone
        ok            > relay 200
    ",
    );
    check(
        "a good answer begins the row anew",
        stream("a b"),
        "
        start  > a
        503    > b
        ok     > relay 200
        start  > a
        503    > b
        ok     > relay 200
        start  > a
        503    > b
        ok     > relay 200
        start  > a
        503    > b
        ok     > relay 200
        start  > a
        ok     > relay 200
        start  > a
        503    > b
        ok     > relay 200
        start  > a
        ok     > relay 200
    ",
    );
    for call in ["400", "409", "413:rate_limit_exceeded", "empty", "403"] {
        let calls = format!("start > a\n {call} > b\n ok > relay 200\n").repeat(7);
        let lenient =
            stream("a b").on(|on| on.statuses.push(400)).with(|policy| policy.retry_on_empty = true);
        check("what may be the caller's doing never opens it", lenient, &calls);
    }
    let calls = "start > a\n 503 > relay 503\n".repeat(7);
    check(
        "what the settings take for no failure never opens it",
        stream("a b").on(|on| on.statuses.clear()),
        &calls,
    );
}

#[test]
fn events_that_do_not_fit_change_nothing() {
    check(
        "while an attempt is open",
        stream("a b"),
        "
        start   > a
        paused  > await
        head    > await
        head    > await
        paused  > await
        ok +10  > relay 200
        = a:200:10ms
    ",
    );
    check(
        "while nothing is",
        stream("a"),
        "
        start           > a
        429 after 1000  > pause 1000..1250
        ok              > await
        503             > await
        timeout         > await
        head            > await
        unsendable      > await
        paused          > a
        ok +10          > relay 200
        = a:429:0ms,a:200:10ms
    ",
    );
    check(
        "when it is over",
        stream("a b"),
        "
        start       > a
        ok +10      > relay 200
        503         > over
        timeout     > over
        unsendable  > over
        ok          > over
        left        > over
        paused      > over
        = a:200:10ms
    ",
    );
}
