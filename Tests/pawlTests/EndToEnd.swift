import Testing

/// Promises kept by real nodes: processes of the binary that pair and pull over loopback.
///
/// One test at a time: each has nodes of its own, and what they do is measured in seconds of a loaded machine.
@Suite(.serialized) enum EndToEnd {}
