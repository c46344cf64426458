import Foundation
import Testing

@testable import Node

/// Downloads that are dropped from the records.
@Suite(.timeLimit(.minutes(3))) struct ForgetTests {
  @Test func aDownloadThatIsGoneForGoodIsForgottenAndItsFilesStay() async throws {
    try await withHouse { house in
      let (studio, laptop) = (try await house.start("studio"), try await house.start("laptop"))
      try await house.pair(studio, laptop)
      try house.file("art/a.txt", Array("a".utf8))
      try house.file("art/b.txt", Array("b".utf8))
      _ = try await studio.share("\(house.path)/art", to: ["laptop"])
      _ = try await laptop.pull("studio/art", into: "\(house.path)/in")
      try FileManager.default.removeItem(atPath: "\(house.path)/in/art/a.txt")
      #expect(try await laptop.node.check(nil, readData: false) { _, _ in }.contains { $0.state == .missing })
      let forgotten = try await laptop.node.forget("art@v1")
      #expect(forgotten.map(\.name) == ["art"] && forgotten.map(\.publisher) == ["studio"])
      #expect(forgotten.map(\.path) == ["\(house.path)/in/art"])
      #expect(try await laptop.node.check(nil, readData: false) { _, _ in }.isEmpty)
      #expect(house.tree("in") == ["art", "art/b.txt"])
      let again = try await nodeError { _ = try await laptop.node.forget("art") }
      #expect(again.code == .notFound)
      #expect(again.hint?.contains("pawl check") == true)
      let shared = try await nodeError { _ = try await studio.node.forget("art") }
      #expect(shared.code == .notFound)
      #expect(shared.hint?.contains("pawl unshare art") == true)
    }
  }

  @Test func oneCopyOfSeveralIsForgottenAndTheOthersStay() async throws {
    try await withHouse { house in
      let (studio, laptop) = (try await house.start("studio"), try await house.start("laptop"))
      try await house.pair(studio, laptop)
      _ = try await studio.share(try house.file("lora.txt", Array("a".utf8)), to: ["laptop"])
      for place in ["one", "two", "three"] { _ = try await laptop.pull("studio/lora.txt", into: "\(house.path)/\(place)") }
      let forgotten = try await laptop.node.forget("studio/lora.txt", at: "\(house.path)/one")
      #expect(forgotten.map(\.path) == ["\(house.path)/one/lora.txt"])
      let exact = try await laptop.node.forget("lora.txt", at: "\(house.path)/two/lora.txt")
      #expect(exact.map(\.path) == ["\(house.path)/two/lora.txt"])
      let nowhere = try await nodeError { _ = try await laptop.node.forget("lora.txt", at: "\(house.path)/one") }
      #expect(nowhere.code == .notFound && nowhere.hint?.contains("\(house.path)/three/lora.txt") == true)
      #expect(try await laptop.node.check(nil, readData: false) { _, _ in }.map(\.path) == ["\(house.path)/three/lora.txt"])
    }
  }

  @Test func twoPublishersOfOneNameAreToldApart() async throws {
    try await withHouse { house in
      let laptop = try await house.start("laptop")
      for name in ["studio", "office"] {
        let node = try await house.start(name)
        try await house.pair(node, laptop)
        try house.file("\(name)/lora.txt", Array(name.utf8))
        _ = try await node.share("\(house.path)/\(name)/lora.txt", name: "lora", to: ["laptop"])
        _ = try await laptop.pull("\(name)/lora", into: "\(house.path)/from \(name)")
      }
      #expect(try await nodeError { _ = try await laptop.node.forget("office/lora@v2") }.code == .notFound)
      #expect(try await nodeError { _ = try await laptop.node.forget("nobody/lora") }.code == .notFound)
      #expect(try await laptop.node.forget("office/lora").map(\.publisher) == ["office"])
      #expect(try await laptop.node.check(nil, readData: false) { _, _ in }.map(\.publisher) == ["studio"])
      _ = try await laptop.pull("office/lora", into: "\(house.path)/from office")
      #expect(Set(try await laptop.node.forget("lora").map(\.publisher)) == ["studio", "office"])
      #expect(try await laptop.node.check(nil, readData: false) { _, _ in }.isEmpty)
    }
  }
}
