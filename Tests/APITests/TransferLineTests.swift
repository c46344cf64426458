import API
import Testing

/// The lines of transfers and tickets, as scripts read them.
@Suite struct TransferLineTests {
  private func line(_ result: some ResultBody) throws -> String { String(decoding: try Lines.result(result), as: UTF8.self) }

  @Test func aTransferHasEveryMemberAndWhatIsNotKnownIsNull() throws {
    let running = Transfer(
      id: "ab12", direction: .incoming, artifact: "lora", version: 3, peer: "studio", state: .running, bytes: 71,
      bytesTotal: 100, bytesPerSecond: 10, sources: ["studio"], partial: "/models/.pawl-partial-ab12")
    #expect(
      try line(TransfersResult(transfers: [running]))
        == #"{"transfers":[{"artifact":"lora","bytes":71,"bytes_per_second":10,"bytes_total":100,"direction":"in","#
        + #""eta_seconds":3,"id":"ab12","partial":"/models/.pawl-partial-ab12","peer":"studio","reason":null,"#
        + #""sources":["studio"],"state":"running","version":3}],"type":"result"}"# + "\n")
    let serving = Transfer(id: "cd34", direction: .outgoing, artifact: "lora", peer: "laptop", state: .waiting, reason: "x")
    #expect(
      try line(TransfersResult(transfers: [serving]))
        == #"{"transfers":[{"artifact":"lora","bytes":0,"bytes_per_second":0,"bytes_total":null,"direction":"out","#
        + #""eta_seconds":null,"id":"cd34","partial":null,"peer":"laptop","reason":"x","sources":[],"state":"waiting","#
        + #""version":null}],"type":"result"}"# + "\n")
  }

  @Test func everyNewAnswerSurvivesItsLine() throws {
    func survives<Body: ResultBody>(_ body: Body) throws {
      let line = try Lines.result(body)
      #expect(try Lines.readReply(Array(line.dropLast()), as: Body.self) == .result(body))
    }
    let transfer = Transfer(id: "ab", direction: .incoming, artifact: "a", peer: "b", state: .init(rawValue: "new"))
    try survives(TransfersResult(transfers: [transfer]))
    try survives(CancelResult(transfer: transfer))
    try survives(ForgetResult(forgotten: [.init(artifact: "a", version: 1, publisher: "b", path: "/c")]))
    try survives(
      PeerAddressesResult(peer: "a", online: true, addresses: [.init(address: "b:1", origin: .added, reached: true)]))
    try survives(TicketsResult(tickets: [.init(id: "ab", expires: 1), .init(id: "cd", expires: 2, used: true, usedBy: "x")]))
    try survives(TicketsResult(tickets: [], revoked: "ab"))
    let failure = Failure(.unreachable, "a", hint: "b", kept: KeptTransfer(id: "ab", partial: "/p"))
    #expect(try Lines.readReply(Array(Lines.failure(failure).dropLast()), as: PullResult.self) == .failure(failure))
  }
}
