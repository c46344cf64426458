import API
import Testing

@testable import pawl

/// What people see, to the letter.
@Suite struct ReportTests {
  private let progress = Progress(
    phase: .fetching, file: "weights/anime-lora.safetensors", filesDone: 1, filesTotal: 3, bytes: 14_300_000,
    bytesTotal: 20_100_000, bytesPerSecond: 2_000_000, source: "studio", route: "direct")

  @Test func theProgressLineHasFilePercentRateTimeLeftAndSource() {
    #expect(
      ProgressLine.text(progress, columns: 160)
        == "weights/anime-lora.safetensors  71 %  14.3 MB of 20.1 MB  1/3 files  2.0 MB/s  ETA 0:02  studio (direct)")
  }

  @Test(arguments: 1...160) func theProgressLineNeverWraps(_ columns: Int) {
    let line = ProgressLine.text(progress, columns: columns)
    #expect(TerminalText.width(line) <= max(columns, 16))
    var wide = progress
    wide.file = String(repeating: "漢字", count: 40)
    #expect(TerminalText.width(ProgressLine.text(wide, columns: columns)) <= max(columns, 16))
  }

  @Test func aNarrowTerminalKeepsThePercentAndTheEndOfTheName() {
    let line = ProgressLine.text(progress, columns: 30)
    #expect(line.contains("71 %"))
    #expect(line.hasPrefix("…"))
    #expect(line.contains("safetensors  "))
  }

  @Test func aHostileFileNameCannotMoveTheCursor() {
    var hostile = progress
    hostile.file = "\u{1B}[A\r\n"
    hostile.source = "\u{1B}]0;x\u{7}"
    #expect(!ProgressLine.text(hostile, columns: 200).unicodeScalars.contains { $0.properties.generalCategory == .control })
  }

  @Test func aResumedPullSaysWhereItGoesOn() {
    var resumed = progress
    resumed.bytesResumed = 14_300_000
    #expect(ProgressLine.resuming(resumed) == "resuming at 71 %")
    #expect(ProgressLine.resuming(progress) == nil)
  }

  @Test func columnsAreAlignedAlsoForWideCharacters() {
    var table = Table([("NAME", .left), ("SIZE", .right), ("NOTE", .left)])
    table.add(["漢字", "1 B", "x"])
    table.add(["a", "20.1 MB", ""])
    #expect(table.lines == ["NAME     SIZE  NOTE", "漢字      1 B  x", "a     20.1 MB"])
  }

  @Test func tensorsAreSummedUpInALine() {
    #expect(
      ShowReport.text(.init(dtypes: ["F16": 264], tensors: 264, parameters: 9_800_000)) == "F16, 264 tensors, 9.8 M parameters")
    #expect(
      ShowReport.text(.init(dtypes: ["F32": 1, "BF16": 3], tensors: 4, parameters: 12, trainingMetadata: true))
        == "BF16 ×3, F32 ×1, 4 tensors, 12 parameters, training metadata")
    #expect(ShowReport.text(.init(dtypes: [:], tensors: 0, parameters: 0, malformed: true)).contains("cannot be read"))
  }

  @Test func aManifestIsShownWithItsHashes() {
    let digest = String(repeating: "ab", count: 32)
    let result = ShowResult(
      artifact: "lora", version: 2, digest: digest, publisher: .init(node: digest, alias: "studio"), created: 1_795_234_920,
      note: "ready\nfor review", bytes: 20_113_000, chunk: 1 << 20,
      files: [
        .init(
          path: "lora.safetensors", size: 20_112_000, kind: "safetensors", sha256: digest,
          tensors: .init(dtypes: ["F16": 264], tensors: 264, parameters: 9_800_000)),
        .init(path: "a\u{1B}b", size: 1_000, kind: "json", sha256: digest),
      ])
    #expect(
      ShowReport.lines(result, now: 1_795_235_100, verbose: false) == [
        "lora@v2",
        "  publisher  studio (abab abab abab abab abab abab abab abab)",
        "  note       ready",
        "             for review",
        "  created    2026-11-21 04:22 UTC (3 min ago)",
        "  digest     \(digest)",
        "  contents   2 files, 20.1 MB",
        "",
        "  lora.safetensors  20.1 MB  safetensors",
        "    SHA-256 \(digest)  AutoV2 ababababab",
        "    F16, 264 tensors, 9.8 M parameters",
        "  a\\u{1B}b           1.0 kB  json",
        "    SHA-256 \(digest)  AutoV2 ababababab",
      ])
  }

  @Test func whatCanRunCodeAndWhatCannotBePulledIsSaid() {
    let digest = String(repeating: "ab", count: 32)
    let lines = ShowReport.lines(
      ShowResult(
        artifact: "lora", version: 2, digest: digest, publisher: .init(node: digest, alias: "studio", isSelf: true),
        created: 1_795_234_920, note: "", bytes: 1_000, chunk: 1 << 20,
        files: [.init(path: "a.ckpt", size: 1_000, kind: "pytorch", sha256: digest)], state: .gone), now: 1_795_235_100,
      verbose: false)
    #expect(lines.contains("  a.ckpt  1.0 kB  pytorch, loading it can run code"))
    #expect(lines.contains { $0.contains("gone: it cannot be pulled") })
  }

  @Test func emptyFoldersAreShownBehindTheFiles() {
    let digest = String(repeating: "ab", count: 32)
    let lines = ShowReport.lines(
      ShowResult(
        artifact: "lora", version: 2, digest: digest, publisher: .init(node: digest, alias: "studio"), created: 1_795_234_920,
        note: "", bytes: 1_000, chunk: 1 << 20, files: [.init(path: "a", size: 1_000, kind: "json", sha256: digest)],
        folders: ["empty\u{1B}", "sub/samples"]), now: 1_795_235_100, verbose: false)
    #expect(lines.contains("  contents   1 file, 2 empty folders, 1.0 kB"))
    #expect(lines.suffix(2) == ["  empty\\u{1B}/", "  sub/samples/"])
  }

  @Test func aChangedIdentityIsShownWithBothNumbersAndWhatToDo() {
    let digits = String(repeating: "12345", count: 12)
    let peer = Peer(
      alias: "laptop", name: "laptop", node: "ab", fingerprint: "ab", verified: true, blocked: true, identity: "changed",
      online: false, lastSeen: 1_000, paired: 500, session: "healthy")
    let new = VerifyResult.NewIdentity(
      node: "cd", fingerprint: "cd", name: "x\u{1B}[2J", addresses: [], safetyNumber: String(digits.reversed()), came: 1_090,
      reason: "shared_key")
    let report = IdentityReport.verification(VerifyResult(peer: peer, safetyNumber: digits, new: new), now: 1_100)
    #expect(
      report.result == [
        "laptop: identity key changed - blocked until you decide", "", "old", "  node id    ab", "  paired     10 min ago",
        "  last seen  1 min ago", "  verified   yes", "  safety number", "    12345 12345 12345 12345",
        "    12345 12345 12345 12345", "    12345 12345 12345 12345", "", "new", "  node id  cd", "  came     10 s ago",
        "  name     x\\u{1B}[2J", "  address  –", "  safety number", "    54321 54321 54321 54321",
        "    54321 54321 54321 54321",
        "    54321 54321 54321 54321",
      ])
    #expect(
      report.remarks == [
        "the new node has a key of laptop's old one; was the old machine set up anew, or replaced?",
        "ask them, over a call, and compare the new number; if it is the same: pawl verify laptop --accept-new --confirm",
        "if they know nothing of it, somebody used your ticket in their name: pawl verify laptop --keep-old",
      ])
    #expect(IdentityReport.questions([peer]) == ["laptop: identity key changed - blocked until you decide: pawl verify laptop"])
    #expect(PeerReport.table([peer], now: 1_100, verbose: false).last == "laptop  BLOCKED  1 min ago  yes       –        –")
  }

  @Test func aProposedCommandIsSafeToPaste() {
    #expect(ShellText.quote("studio/lora@v1") == "studio/lora@v1")
    #expect(ShellText.quote("a b") == "'a b'")
    #expect(ShellText.quote("it's $(rm -rf ~)") == #"'it'\''s $(rm -rf ~)'"#)
    #expect(ShellText.quote("") == "''")
    #expect(ShellText.quote("漢字") == "漢字")
  }

  @Test func aCheckNamesWhatIsWrongFirst() {
    let files: [CheckResult.File] = [
      .init(artifact: "lora", version: 1, path: "/a", size: 1, sha256: "aa", state: .verified),
      .init(artifact: "lora", version: 1, publisher: "studio", path: "/b", size: 1, sha256: nil, state: .changed),
    ]
    #expect(
      CheckReport.lines(CheckResult(files: files), verbose: false) == [
        "STATE    ARTIFACT        SIZE  FILE", "CHANGED  studio/lora@v1   1 B  /b", "2 files: 1 verified, 1 changed",
      ])
    #expect(CheckReport.lines(CheckResult(files: []), verbose: false) == ["nothing to check"])
  }

  @Test func troublesAreOneClearLineForEachPeerThatHadAny() {
    let day: UInt64 = 1_800_000_000
    func peer(_ alias: String, _ troubles: [Trouble], lost: Undelivered? = nil) -> Peer {
      Peer(
        alias: alias, name: alias, node: "ab", fingerprint: "ab", verified: true, online: true, paired: 1, session: "healthy",
        troubles: troubles, undelivered: lost)
    }
    let lines = PeerReport.troubles([
      peer("quiet", []), peer("studio", [Trouble(kind: .rollback, at: day, healedAt: day + 60)]),
      peer(
        "laptop", [Trouble(kind: .lost, at: day, healedAt: day), Trouble(kind: .peerRollback, at: day, healedAt: day + 86_400)]),
      peer("desk", [Trouble(kind: .lost, at: day)]), peer("box", [Trouble(kind: .reset, at: day, healedAt: day)]),
      peer("pc", [Trouble(kind: .fallback, at: day, healedAt: day)]),
      peer("new", [Trouble(kind: Trouble.Kind(rawValue: "moon\u{1B}[2J"), at: day, healedAt: day)]),
      peer("gone", [Trouble(kind: .lost, at: day, healedAt: day)], lost: Undelivered(count: 2, at: day)),
      peer("one", [], lost: Undelivered(count: 1, at: day)),
    ])
    #expect(
      lines == [
        "warning: studio: our state was older than studio's at 2027-01-15 08:00 UTC (a copied or restored state folder?); "
          + "a fresh session was made at 08:01 UTC",
        "warning: laptop: laptop's state was older than ours at 2027-01-15 08:00 UTC (a copied or restored state folder there?); "
          + "a fresh session was made at 2027-01-16 08:00 UTC (and 1 more in the last 7 days: --json lists them)",
        "warning: desk: a session could not be continued here at 2027-01-15 08:00 UTC "
          + "(a restored, copied or damaged state folder?); to be repaired when desk is online",
        "warning: box: box could not continue a session at 2027-01-15 08:00 UTC "
          + "(a restored, copied or damaged state folder, here or there?); it was repaired at 08:00 UTC",
        "warning: pc: a session was started without a one-time prekey at 2027-01-15 08:00 UTC, since none was at hand; "
          + "both sides confirmed it at 08:00 UTC",
        "warning: new: something went wrong at 2027-01-15 08:00 UTC: moon\\u{1B}[2J; it was repaired at 08:00 UTC",
        "warning: gone: a session could not be continued here at 2027-01-15 08:00 UTC "
          + "(a restored, copied or damaged state folder?); it was repaired at 08:00 UTC",
        "warning: gone: 2 messages could not be delivered, the last at 2027-01-15 08:00 UTC; ask again for what you miss",
        "warning: one: 1 message could not be delivered, the last at 2027-01-15 08:00 UTC; ask again for what you miss",
      ])
  }
}
