import API
import Testing

@Suite struct RequestLineTests {
  private static let requests: [Request] = [
    .status, .id, .peers, .invite(InviteRequest()),
    .invite(InviteRequest(alias: "laptop", expiresSeconds: 90, addresses: ["[::1]:7411"], wait: false)),
    .join(JoinRequest(ticket: "pawl1abc", alias: "studio")), .rename(RenameRequest(old: "a", new: "b")),
    .verify(VerifyRequest(peer: "studio", confirm: true)), .verify(VerifyRequest(peer: "studio", decision: .acceptNew)),
    .verify(VerifyRequest(peer: "studio", confirm: true, decision: .keepOld)),
    .invite(InviteRequest(alias: "laptop", newMachine: true)),
    .join(JoinRequest(ticket: "pawl1abc", alias: "studio", newMachine: true)), .revoke(RevokeRequest(peer: "studio")),
    .share(ShareRequest(path: "/a b/ä", name: "lora", to: ["laptop", "all"], note: "two\nlines \u{1F600}")),
    .share(ShareRequest(path: "/a", note: "", follow: true, all: true)),
    .share(ShareRequest(path: "/a", scope: .onlyThis)), .share(ShareRequest(path: "/a", to: ["all"], scope: .allVersions)),
    .unshare(UnshareRequest(artifact: "lora")), .unshare(UnshareRequest(artifact: "lora@v2", from: ["laptop", "all"])),
    .list(ListRequest(peer: "studio")), .list(ListRequest()),
    .show(ShowRequest(artifact: "studio/lora")),
    .pull(
      PullRequest(
        artifact: "studio/lora@v1", directory: "/tmp", only: ["*.safetensors"], from: ["office"], conflict: .rename,
        verify: true)),
    .check(CheckRequest(artifact: "lora", readData: true)), .check(CheckRequest()), .transfers,
    .cancel(CancelRequest(id: "1a2b")), .forget(ForgetRequest(artifact: "studio/lora@v2", path: "/a")),
    .peerAddress(PeerAddressRequest(peer: "studio")), .peerAddress(PeerAddressRequest(peer: "studio", add: "[::1]:7411")),
    .peerAddress(PeerAddressRequest(peer: "studio", remove: "a:1")), .tickets(TicketsRequest()),
    .tickets(TicketsRequest(revoke: "1a2b")),
  ]

  @Test(arguments: requests) func everyRequestSurvivesItsLine(_ request: Request) throws {
    let line = try Lines.request(request)
    #expect(line.last == UInt8(ascii: "\n"))
    #expect(line.dropLast().allSatisfy { $0 != UInt8(ascii: "\n") })
    #expect(try Lines.readRequest(Array(line.dropLast())) == request)
  }

  @Test func whatMayBeLeftOutHasItsDefault() throws {
    #expect(try read(#"{"verb":"invite"}"#) == .invite(InviteRequest()))
    #expect(
      try read(#"{"verb":"pull","artifact":"a/b","directory":"/"}"#) == .pull(PullRequest(artifact: "a/b", directory: "/")))
    #expect(try read(#"{"verb":"share","path":"/x"}"#) == .share(ShareRequest(path: "/x")))
    #expect(try read(#"{"verb":"check"}"#) == .check(CheckRequest()))
    #expect(try read(#"{"verb":"verify","peer":"a"}"#) == .verify(VerifyRequest(peer: "a")))
    #expect(try read(#"{"verb":"join","ticket":"a"}"#) == .join(JoinRequest(ticket: "a")))
  }

  private static let hostile: [(String, String)] = [
    ("", "too early"), ("garbage", "no place"), ("{", "too early"), ("[]", "not a JSON object"), ("null", "not a JSON object"),
    (#""status""#, "not a JSON object"), ("{}", "no verb"), (#"{"verb":7}"#, "no verb"), (#"{"verb":null}"#, "no verb"),
    (#"{"verb":"fly"}"#, "unknown verb: fly"), (#"{"verb":"status","verb":"id"}"#, "a key twice"),
    (#"{"verb":"status","\u0076erb":"id"}"#, "a key twice"), (#"{"verb":"status"} {}"#, "more than one"),
    (#"{"verb":"status","x":1}"#, "unknown field: x"),
    (#"{"verb":"pull","artifact":"a/b","directory":"/","onyl":["*"]}"#, "unknown field: onyl"),
    (#"{"verb":"pull","artifact":"a/b"}"#, "directory is missing"),
    (#"{"verb":"pull","artifact":7,"directory":"/"}"#, "artifact"),
    (#"{"verb":"pull","artifact":"a/b","directory":"/","conflict":"burn"}"#, "conflict"),
    (#"{"verb":"verify","peer":"a","decision":"both"}"#, "decision"),
    (#"{"verb":"invite","expires_seconds":-1}"#, "number"), (#"{"verb":"invite","expires_seconds":1.5}"#, "number"),
    (#"{"verb":"invite","expires_seconds":1e9}"#, "number"), (#"{"verb":"join","ticket":"\ud800"}"#, "surrogate"),
    ("\u{FEFF}{}", "not UTF-8"),
  ]

  @Test(arguments: hostile) func aHostileLineIsRefusedWithItsReason(_ line: String, _ reason: String) {
    let failure = #expect(throws: Failure.self) { try read(line) }
    #expect(failure?.code == .usage)
    #expect(failure?.exit == 2)
    #expect(failure?.message.contains(reason) == true, "\(failure?.message ?? "")")
  }

  @Test func deepNestingIsRefusedWithoutRecursion() {
    for opening in ["[", #"{"a":"#] {
      let failure = #expect(throws: Failure.self) { try read(String(repeating: opening, count: 100_000)) }
      #expect(failure?.message.contains("nested too deep") == true)
    }
  }

  @Test func bytesThatAreNotUTF8AreRefused() {
    #expect(throws: Failure.self) { try Lines.readRequest([0x7B, 0x22, 0xFF, 0xFE, 0x22, 0x7D]) }
    #expect(throws: Failure.self) { try Lines.readRequest([UInt8](repeating: 0, count: 100)) }
  }

  @Test func everyPrefixOfARequestIsRefusedWithoutATrap() throws {
    let line = try Lines.request(Self.requests[9]).dropLast()
    for end in 0..<line.count {
      #expect(throws: Failure.self) { try Lines.readRequest(Array(line[..<end])) }
    }
  }

  @Test func requestsThatTakeTimeEndWithTheirClientAndBriefOnesDoNot() {
    let lasting = Self.requests.filter(\.endsWithItsClient).map(\.verb)
    #expect(Set(lasting) == ["invite", "join", "share", "pull", "check"])
  }

  private func read(_ text: String) throws -> Request { try Lines.readRequest(Array(text.utf8)) }
}
