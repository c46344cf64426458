import API
import Testing

/// The shapes that scripts rely on, to the letter.
@Suite struct ReplyLineTests {
  private let pull = PullResult(
    artifact: "lora", version: 3, digest: "d1", path: "/models/lora",
    files: [FileEntry(path: "a.bin", size: 5, sha256: "aa"), FileEntry(path: "b.bin", size: 6, sha256: nil)], bytes: 11,
    bytesTransferred: 6, seconds: 0.12345, sources: ["studio"], readBack: .pending)

  @Test func aPullResultHasTheAgreedFields() throws {
    let line = try text(Lines.result(pull))
    #expect(
      line == #"{"artifact":"lora","bytes":11,"bytes_transferred":6,"digest":"d1","#
        + #""files":[{"path":"a.bin","sha256":"aa","size":5},{"path":"b.bin","sha256":null,"size":6}],"#
        + #""path":"/models/lora","read_back":"pending","seconds":0.123,"skipped":[],"sources":["studio"],"type":"result","version":3,"warnings":[]}"#
    )
  }

  @Test func aShareResultHasTheAgreedFields() throws {
    let result = ShareResult(
      artifact: "lora", version: 1, digest: "d1", files: [FileEntry(path: "a", size: 5, sha256: "aa")], bytes: 5,
      audience: ["all"], opened: [1])
    #expect(
      try text(Lines.result(result)) == #"{"artifact":"lora","audience":["all"],"bytes":5,"digest":"d1","#
        + #""files":[{"path":"a","sha256":"aa","size":5}],"folders":[],"left_out":[],"left_out_count":0,"links":[],"#
        + #""opened":[1],"type":"result","unchanged":false,"version":1,"warnings":[]}"#)
    let full = ShareResult(
      artifact: "lora", version: 1, digest: "d1", files: [FileEntry(path: "a", size: 5, sha256: "aa")], bytes: 5,
      folders: ["empty"], links: [LinkEntry(path: "a", target: "/blobs/aa")], leftOut: [".git/", ".env"], leftOutCount: 7,
      audience: [])
    #expect(
      try text(Lines.result(full)).contains(
        #""folders":["empty"],"left_out":[".git/",".env"],"left_out_count":7,"links":[{"path":"a","target":"/blobs/aa"}]"#))
    #expect(try Lines.readReply(Array(Lines.result(full).dropLast()), as: ShareResult.self) == .result(full))
    let older =
      #"{"artifact":"lora","audience":[],"bytes":5,"digest":"d1","files":[],"type":"result","unchanged":false,"version":1,"warnings":[]}"#
    guard case .result(let read) = try Lines.readReply(Array(older.utf8), as: ShareResult.self) else {
      Issue.record("a result of the version before is not read")
      return
    }
    #expect(read.leftOut.isEmpty && read.folders.isEmpty)
  }

  @Test func aVersionOfOurOwnSaysWhetherItCanBeServed() throws {
    let own = ArtifactSummary(
      artifact: "lora", version: 2, digest: "d1", files: 1, bytes: 5, created: 7, audience: ["laptop"], state: .changed)
    let theirs = ArtifactSummary(artifact: "lora", version: 2, digest: "d1", files: 1, bytes: 5, created: 7)
    #expect(
      try text(Lines.result(ListResult(artifacts: [own])))
        == #"{"artifacts":[{"artifact":"lora","audience":["laptop"],"bytes":5,"created":7,"digest":"d1","files":1,"note":"","#
        + #""state":"changed","version":2}],"type":"result"}"#)
    #expect(try !text(Lines.result(ListResult(peer: "studio", artifacts: [theirs]))).contains("state"))
  }

  @Test func anErrorHasTheAgreedFields() throws {
    let failure = Failure(.integrity, "leaf 3 is not the manifest's", hint: "ask again")
    #expect(
      text(Lines.failure(failure))
        == #"{"code":"integrity","exit":13,"hint":"ask again","message":"leaf 3 is not the manifest's","type":"error"}"#)
  }

  @Test func aTicketIsAnEventAndWithoutWaitingTheResult() throws {
    let ticket = TicketResult(ticket: "pawl1x", expires: 1_700_000_000, addresses: ["10.0.0.1:7411"])
    #expect(
      try text(Lines.event(.ticket(ticket)))
        == #"{"addresses":["10.0.0.1:7411"],"event":"ticket","expires":1700000000,"ticket":"pawl1x","type":"event"}"#)
    #expect(
      try text(Lines.result(InviteResult.ticket(ticket)))
        == #"{"addresses":["10.0.0.1:7411"],"expires":1700000000,"ticket":"pawl1x","type":"result"}"#)
  }

  @Test func repliesSurviveTheirLines() throws {
    let progress = Progress(
      phase: .fetching, file: "a", filesDone: 1, filesTotal: 2, bytes: 3, bytesTotal: 4, bytesResumed: 1, bytesPerSecond: 9,
      source: "studio", route: "direct")
    #expect(try read(Lines.progress(progress)) == .progress(progress))
    let events: [Event] = [
      .notice("careful"), .ready(ReadyEvent(node: "ab", listening: "[::]:1")),
      .ticket(TicketResult(ticket: "t", expires: 1, addresses: [], alias: "x")),
    ]
    for event in events { #expect(try read(Lines.event(event)) == .event(event)) }
    let result = try Lines.readReply(Array(Lines.result(pull).dropLast()), as: PullResult.self)
    #expect(result == .result(pull))
    let failure = Failure(.conflict, "m", hint: nil, placed: pull)
    #expect(try read(Lines.failure(failure)) == .failure(failure))
  }

  @Test func aChangedIdentityHasTheAgreedFields() throws {
    let peer = Peer(
      alias: "a", name: "b", node: "cd", fingerprint: "cd", verified: true, blocked: true, identity: "changed", online: false,
      paired: 5, session: "healthy")
    let new = VerifyResult.NewIdentity(
      node: "ef", fingerprint: "ef", name: "b", addresses: ["10.0.0.1:7411"], safetyNumber: "2", came: 9, reason: "shared_key")
    let result = VerifyResult(peer: peer, safetyNumber: "1", new: new)
    #expect(
      try text(Lines.result(result))
        == #"{"new":{"addresses":["10.0.0.1:7411"],"came":9,"fingerprint":"ef","name":"b","node":"ef","reason":"shared_key","#
        + #""safety_number":"2"},"peer":{"alias":"a","blocked":true,"fingerprint":"cd","identity":"changed","name":"b","#
        + #""node":"cd","online":false,"paired":5,"session":"healthy","troubles":[],"verified":true},"safety_number":"1","#
        + #""type":"result"}"#)
    #expect(try Lines.readReply(Array(Lines.result(result).dropLast()), as: VerifyResult.self) == .result(result))
    #expect(Failure(.identityChanged, "").exit == 12)
  }

  @Test func aPairingIsToldFromATicket() throws {
    let peer = Peer(
      alias: "a", name: "b", node: "cd", fingerprint: "cd", verified: false, online: true, paired: 5, session: "established")
    let pairing = InviteResult.paired(PairingResult(peer: peer, safetyNumber: "1"))
    #expect(try Lines.readReply(Array(Lines.result(pairing).dropLast()), as: InviteResult.self) == .result(pairing))
  }

  @Test func aCodeOfANewerNodeIsKeptAndExitsAsItSays() throws {
    let line = #"{"type":"error","code":"moon_phase","exit":42,"message":"m"}"#
    guard case .failure(let failure) = try read(Array((line + "\n").utf8)) else {
      Issue.record("not a failure")
      return
    }
    #expect(failure.code.rawValue == "moon_phase")
    #expect(failure.exit == 42)
  }

  @Test func aLineIsSafeToLookAt() throws {
    let name = "x\u{1B}[31m\u{9B}2J\u{202E}gpj.exe\u{200B}\u{7F}\u{E0041}é漢"
    let line = try Lines.event(.notice(name))
    let text = text(line)
    #expect(text.contains(#"x\u001b[31m\u009b2J\u202egpj.exe\u200b\u007f\udb40\udc41é漢"#), "\(text.debugDescription)")
    #expect(try read(line) == .event(.notice(name)))
  }

  @Test(arguments: ["", "{}", "[]", "garbage", #"{"type":"result"}"#, #"{"type":"moon"}"#, #"{"type":"error","code":1}"#])
  func anAnswerWithoutSenseIsAFailureAndNoTrap(_ line: String) {
    #expect(throws: Failure.self) { try Lines.readReply(Array(line.utf8), as: PullResult.self) }
  }

  @Test func everyCodeExitsAsTheContractSays() {
    let exits: [(Failure.Code, Int32)] = [
      (.failed, 1), (.usage, 2), (.partial, 3), (.noNode, 10), (.notFound, 11), (.notAllowed, 12), (.integrity, 13),
      (.unreachable, 14), (.noSpace, 15), (.conflict, 16), (.timeout, 17), (.interrupted, 130),
    ]
    for (code, exit) in exits { #expect(Failure(code, "").exit == exit) }
    #expect(Set(exits.map(\.1) + [0]) == Set(ExitCode.allCases.map(\.rawValue)))
  }

  private func text(_ line: [UInt8]) -> String { String(decoding: line.dropLast(), as: UTF8.self) }

  private func read(_ line: [UInt8]) throws -> Reply<PullResult> { try Lines.readReply(Array(line.dropLast())) }
}
