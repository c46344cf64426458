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
