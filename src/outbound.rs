//! One upstream call, ready to send: URL, headers, body splices.
