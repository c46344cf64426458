import API
import EventLoop
import Foundation
import Store
import Testing

@testable import Control

/// What becomes of errors on their way to a client.
@Suite(.timeLimit(.minutes(1))) struct TranslationTests {
  @Test func anErrorWithoutWordsOfItsOwnReachesNoClient() {
    for error in [
      SecretTrouble(), CocoaError(.fileReadNoPermission),
      DecodingError.dataCorrupted(.init(codingPath: [], debugDescription: "x")),
    ] as [any Error] {
      // Left as it is for whoever logs it; the client is told to look there.
      #expect(!(Failure.translating(error) is Failure), "\(error)")
    }
  }

  @Test func aFileThatChangedWhileItWasReadIsNoIntegrityError() throws {
    let changing = Failure.translating(StoreError(.sourceChanging, "/a", detail: "it changed")) as? Failure
    #expect(changing?.exit == 1)
    #expect(changing?.hint?.contains("share it again") == false)
    #expect((Failure.translating(StoreError(.sourceChanged, "/a", detail: "x")) as? Failure)?.exit == 13)
  }

  @Test func whatIsWrongWithPulledAndOwnFilesHasAHintForEach() {
    func file(_ publisher: String?, _ artifact: String, _ state: CheckResult.State) -> CheckResult.File {
      .init(artifact: artifact, version: 1, publisher: publisher, path: "/a", size: 1, sha256: nil, state: state)
    }
    func hint(_ files: CheckResult.File...) -> String { CheckHint.text(CheckResult(files: files)) }
    #expect(hint(file("studio", "lora", .missing)) == "pull it again, or drop it from the records: pawl forget studio/lora")
    #expect(hint(file("studio", "lora", .changed)).hasPrefix("pull it again with --conflict overwrite, or drop"))
    #expect(hint(file("studio", "lora", .missing), file("studio", "vae", .missing)).hasSuffix("pawl forget PEER/NAME"))
    let own = hint(file(nil, "lora", .changed), file("studio", "vae", .verified))
    #expect(own.contains("pawl unshare NAME@vN") && !own.contains("forget"))
    let both = hint(file(nil, "lora", .changed), file("studio", "vae", .missing))
    #expect(both.contains("pawl forget studio/vae") && both.contains("pawl unshare NAME@vN"))
  }

  @Test func theNewVerbsReachTheirBackend() async throws {
    try await Running.with { _, path, loop in
      let client = try await TestClient(path, on: loop)
      try await client.send(.transfers)
      #expect(try await client.reply(TransfersResult.self) == .result(TransfersResult(transfers: [])))
      try await client.send(.cancel(CancelRequest(id: "ab")))
      #expect(try await client.failure().exit == 11)
      try await client.send(.forget(ForgetRequest(artifact: "lora")))
      guard case .result(let forgotten) = try await client.reply(ForgetResult.self) else { throw SecretTrouble() }
      #expect(forgotten.forgotten.map(\.artifact) == ["lora"])
      try await client.send(.peerAddress(PeerAddressRequest(peer: "studio", add: "a:1")))
      guard case .result(let addresses) = try await client.reply(PeerAddressesResult.self) else { throw SecretTrouble() }
      #expect(addresses.addresses.map(\.address) == ["a:1"])
      try await client.send(.tickets(TicketsRequest(revoke: "ab")))
      #expect(try await client.reply(TicketsResult.self) == .result(TicketsResult(tickets: [], revoked: "ab")))
      await client.stream.close()
    }
  }
}
