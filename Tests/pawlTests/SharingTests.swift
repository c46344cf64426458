import Foundation
import Glibc
import Testing

extension EndToEnd {
  @Suite(.timeLimit(.minutes(3))) struct SharingTests {
    /// Sizes around every edge of the layout, names in several scripts.
    private static let files: [(path: String, bytes: [UInt8])] = [
      ("empty.bin", []), ("one.bin", [7]), ("chunk.bin", pattern(1 << 20)),
      ("chunk and one.bin", pattern(1 << 20 + 1, seed: 3)),
      ("sub/deep/er/notes.txt", Array("v1\n".utf8)), ("模型/重み🐾.txt", Array("名前".utf8)), ("sub/é.json", Array("{}".utf8)),
    ]

    @Test func aFolderArrivesWithEveryByteInPlace() async throws {
      try await Household.with("studio", "laptop") { house in
        let (studio, laptop) = (house.node("studio"), house.node("laptop"))
        try await house.pair(studio, laptop)
        for file in Self.files { try house.write("art/\(file.path)", file.bytes) }
        chmod("\(house.path)/art/one.bin", 0o755)

        let shared = try await studio.ask(
          "share", "\(house.path)/art", "--name", "anime-lora", "--to", "laptop", "--note", "v1 ready for review")
        #expect(shared["artifact"] == "anime-lora")
        #expect(shared["version"] == 1)
        #expect(shared["digest"].text.utf8.count == 64)
        #expect(Set(shared["files"].elements.map { $0["path"].text }) == Set(Self.files.map(\.path)))

        let listed = try await laptop.ask("ls", "studio")["artifacts"]
        #expect(listed.elements.count == 1)
        #expect(listed[0]["artifact"] == "anime-lora")
        #expect(listed[0]["note"] == "v1 ready for review")
        #expect(listed[0]["digest"] == shared["digest"])

        let shown = try await laptop.ask("show", "studio/anime-lora")
        #expect(shown["digest"] == shared["digest"])
        #expect(shown["publisher"]["alias"] == "studio")
        #expect(shown["files"].elements.count == Self.files.count)

        let pulled = try await laptop.ask("pull", "studio/anime-lora", "-o", "\(house.path)/models")
        #expect(
          pulled.keys.isSuperset(of: [
            "type", "artifact", "version", "digest", "path", "files", "bytes", "bytes_transferred", "seconds", "sources",
          ]))
        #expect(pulled["path"].text == "\(house.path)/models/anime-lora")
        #expect(pulled["digest"] == shared["digest"])
        #expect(pulled["sources"] == .array(["studio"]))
        #expect(pulled["bytes"] == pulled["bytes_transferred"])
        #expect(pulled["read_back"] == "verified")
        for file in Self.files {
          #expect(house.read("models/anime-lora/\(file.path)") == file.bytes, "\(file.path)")
          let entry = try #require(pulled["files"].elements.first { $0["path"].text == file.path })
          let hash = try house.sha256("art/\(file.path)")
          #expect(entry["sha256"].text == hash)
          #expect(entry["size"] == .number(Double(file.bytes.count)))
          #expect(shared["files"].elements.contains(entry))
        }
        #expect(access("\(house.path)/models/anime-lora/one.bin", X_OK) == 0)
        #expect(house.tree("models").filter { !$0.hasPrefix("anime-lora") }.isEmpty, "something else was left there")

        let checked = try await laptop.ask("check", "anime-lora", "--read-data")
        #expect(checked["files"].elements.allSatisfy { $0["state"] == "verified" })
        try house.write("models/anime-lora/one.bin", [8])
        try await laptop.ask("check", "anime-lora", "--read-data", exit: 13)
        let again = try await laptop.ask("pull", "studio/anime-lora", "-o", "\(house.path)/models", "--conflict", "overwrite")
        #expect(again["bytes_transferred"] == 1)
        #expect(house.read("models/anime-lora/one.bin") == [7])
      }
    }

    @Test func whatWasFollowedAndLeftOutIsToldAndEmptyFoldersArrive() async throws {
      try await Household.with("studio", "laptop") { house in
        let (studio, laptop) = (house.node("studio"), house.node("laptop"))
        try await house.pair(studio, laptop)
        let weights = try house.write("art/weights.bin", pattern(100))
        for name in [".env", ".git/HEAD", "sub/__pycache__/a.pyc"] { try house.write("art/\(name)", "x") }
        _ = try house.folder("art/samples/none yet")
        symlink("weights.bin", "\(house.path)/art/best.bin")
        let refused = try await studio.ask("share", "\(house.path)/art", exit: 2)
        #expect(refused["hint"].text.contains("--follow"))
        symlink("art", "\(house.path)/latest")
        let shared = try await studio.ask("share", "\(house.path)/latest", "--follow", "--to", "laptop")
        #expect(shared["artifact"] == "latest")
        #expect(shared["links"].elements.map { $0["path"].text } == ["best.bin"])
        #expect(shared["links"][0]["target"].text == weights)
        #expect(shared["left_out"] == .array([".env", ".git/", "sub/__pycache__/"]))
        #expect(shared["left_out_count"] == 3)
        #expect(shared["folders"] == .array(["samples/none yet", "sub"]))
        #expect(try await laptop.ask("show", "studio/latest")["folders"] == .array(["samples/none yet", "sub"]))
        try await laptop.ask("pull", "studio/latest", "-o", "\(house.path)/models")
        #expect(
          house.tree("models/latest") == ["best.bin", "samples", "samples/none yet", "sub", "weights.bin"])
        #expect(house.read("models/latest/best.bin") == pattern(100))
        // A file of the user's in a folder's place is a conflict like any other.
        try house.write("more/latest/samples", "mine")
        let conflict = try await laptop.ask("pull", "studio/latest", "-o", "\(house.path)/more", exit: 16)
        #expect(conflict["message"].text.contains("samples/none yet"))
        #expect(house.read("more/latest/weights.bin") == pattern(100))
      }
    }

    @Test func aSingleFileKeepsItsName() async throws {
      try await Household.with("studio", "laptop") { house in
        let (studio, laptop) = (house.node("studio"), house.node("laptop"))
        try await house.pair(studio, laptop)
        for (name, bytes) in [("empty.bin", []), ("重み🐾.bin", pattern(1 << 20 + 1))] {
          let path = try house.write(name, bytes)
          try await studio.ask("share", path, "--to", "laptop")
          let pulled = try await laptop.ask("pull", "studio/\(name)", "-o", "\(house.path)/models")
          #expect(pulled["path"].text == "\(house.path)/models/\(name)")
          #expect(house.read("models/\(name)") == bytes)
        }
        #expect(house.tree("models").count == 2)
      }
    }

    @Test func theSameContentsStayTheSameVersionAndOtherContentsAreTheNext() async throws {
      try await Household.with("studio", "laptop") { house in
        let (studio, laptop) = (house.node("studio"), house.node("laptop"))
        try await house.pair(studio, laptop)
        let art = try house.folder("art")
        try house.write("art/a.txt", "one")
        let first = try await studio.ask("share", art, "--to", "laptop")
        let same = try await studio.ask("share", art)
        #expect(same["version"] == 1)
        #expect(same["digest"] == first["digest"])
        #expect(same["unchanged"] == true)
        try house.write("art/b.txt", "two")
        let second = try await studio.ask("share", art)
        #expect(second["version"] == 2)
        #expect(second["audience"] == .array(["laptop"]), "a new version inherits the audience")

        // The files of version 1 are as they were.
        let old = try await laptop.ask("pull", "studio/art@v1", "-o", "\(house.path)/one")
        #expect(old["version"] == 1)
        #expect(house.tree("one/art") == ["a.txt"])
        #expect(try await laptop.ask("pull", "studio/art", "-o", "\(house.path)/two")["version"] == 2)
        #expect(house.tree("two/art") == ["a.txt", "b.txt"])

        try house.write("art/a.txt", "another one")
        #expect(try await studio.ask("share", art)["version"] == 3)
        let refused = try await laptop.ask("pull", "studio/art@v1", "-o", "\(house.path)/three", exit: 13)
        #expect(refused["message"].text.contains("a.txt"))
        #expect(house.tree("three/art").isEmpty)
      }
    }

    @Test func aFileThatChangedOrVanishedAfterItWasSharedIsRefusedByName() async throws {
      try await Household.with("studio", "laptop") { house in
        let (studio, laptop) = (house.node("studio"), house.node("laptop"))
        try await house.pair(studio, laptop)
        let path = try house.write("art/weights.bin", pattern(3_000_000))
        try house.write("art/other.bin", pattern(10))
        try await studio.ask("share", "\(house.path)/art", "--to", "laptop")
        try house.write("art/weights.bin", pattern(3_000_000, seed: 9))
        let changed = try await laptop.ask("pull", "studio/art", "-o", "\(house.path)/models", exit: 13)
        #expect(changed["code"] == "integrity")
        #expect(changed["message"].text.contains("weights.bin"))
        let own = try await studio.ask("check", "art", exit: 13)
        #expect(own["hint"].text.contains("share again"))
        unlink(path)
        let gone = try await laptop.ask("pull", "studio/art", "-o", "\(house.path)/models", exit: 11)
        #expect(gone["message"].text.contains("weights.bin"))
        try FileManager.default.removeItem(atPath: "\(house.path)/art")
        let lost = try await laptop.ask("pull", "studio/art", "-o", "\(house.path)/models", exit: 11)
        #expect(lost["message"].text.contains("its folder is gone"))
        #expect(house.tree("models").allSatisfy { $0.hasPrefix(".pawl-partial-") }, "nothing has a final name")
        #expect(try String(contentsOfFile: studio.log, encoding: .utf8).contains("weights.bin"))
      }
    }

    @Test func whoIsNotInTheAudienceGetsTheAnswerForWhatDoesNotExist() async throws {
      try await Household.with("studio", "laptop", "desk") { house in
        let (studio, laptop, desk) = (house.node("studio"), house.node("laptop"), house.node("desk"))
        try await house.pair(studio, laptop)
        try await house.pair(studio, desk)
        let path = try house.write("secret", "the weights")
        try await studio.ask("share", path, "--to", "laptop", "--name", "secret")
        #expect(try await desk.ask("ls", "studio")["artifacts"] == .array([]))
        for verb in ["pull", "show"] {
          for version in ["", "@v1"] {
            let hidden = try await desk.run(verb, "studio/secret\(version)", workingDirectory: house.path)
            let absent = try await desk.run(verb, "studio/absent\(version)", workingDirectory: house.path)
            #expect(hidden.exit == 11)
            #expect(absent.exit == 11)
            #expect(hidden.error == absent.error.replacing("absent", with: "secret"))
            #expect(hidden.out == absent.out)
          }
        }
        #expect(try await laptop.ask("ls", "studio")["artifacts"].elements.count == 1)

        // The audience grows without a new version, and `all` reaches whoever is paired later.
        let toAll = try await studio.ask("share", path, "--to", "all", "--name", "secret")
        #expect(toAll["version"] == 1)
        try await desk.ask("pull", "studio/secret", "-o", "\(house.path)/desk")
        #expect(house.read("desk/secret") == Array("the weights".utf8))
        let late = house.node("late")
        try await late.start()
        try await house.pair(studio, late)
        try await late.ask("pull", "studio/secret", "-o", "\(house.path)/late")
        #expect(house.read("late/secret") == Array("the weights".utf8))
      }
    }

    @Test func anAudienceIsThatOfOneVersion() async throws {
      try await Household.with("studio", "laptop", "desk") { house in
        let (studio, laptop, desk) = (house.node("studio"), house.node("laptop"), house.node("desk"))
        try await house.pair(studio, laptop)
        try await house.pair(studio, desk)
        let art = try house.folder("art")
        try house.write("art/a", "1")
        try await studio.ask("share", art, "--to", "laptop")
        try house.write("art/b", "2")
        let second = try await studio.ask("share", art, "--to", "desk")
        #expect(second["opened"] == .array([2]) && second["audience"] == .array(["desk", "laptop"]))
        func versions(_ node: HouseholdNode) async throws -> [JSON] {
          try await node.ask("ls", "studio")["artifacts"].elements.map { $0["version"] }
        }
        #expect(try await versions(laptop) == [2, 1])
        #expect(try await versions(desk) == [2])
        try await desk.ask("pull", "studio/art@v1", "-o", "\(house.path)/desk", exit: 11)
        #expect(try await desk.ask("pull", "studio/art", "-o", "\(house.path)/desk")["version"] == 2)
        let all = try await studio.ask("share", art, "--to", "desk", "--all-versions")
        #expect(all["opened"] == .array([1, 2]) && all["unchanged"] == true)
        #expect(try await versions(desk) == [2, 1])

        // Out of one version, and out of all.
        let out = try await studio.ask("unshare", "art@v2", "--from", "desk")
        #expect(out["versions"] == .array([2]) && out["from"] == .array(["desk"]))
        #expect(try await versions(desk) == [1])
        #expect(try await studio.ask("unshare", "art", "--from", "laptop")["versions"] == .array([1, 2]))
        #expect(try await versions(laptop).isEmpty)
        #expect(try await studio.ask("unshare", "art", "--from", "laptop", exit: 11)["message"].text.contains("laptop"))
        try await studio.ask("share", art, "--to", "all")
        let refused = try await studio.ask("unshare", "art", "--from", "laptop", exit: 16)
        #expect(refused["hint"].text.contains("--from all"))

        try house.write("art/c", "3")
        let third = try await studio.ask("share", art, "--only-this")
        #expect(third["audience"] == .array([]) && third["version"] == 3)
        #expect(try await versions(laptop) == [2])
        try await studio.ask("share", art, "--only-this", exit: 2)
        // The files of all three lie as they were shared; then the first goes.
        unlink("\(house.path)/art/a")
        let states = try await studio.ask("ls")["artifacts"].elements.map { $0["state"] }
        #expect(states == ["gone", "gone", "gone"])
        let table = try await studio.run("ls")
        #expect(table.out.contains("gone") && table.error.contains("pawl unshare art@v3"))
        try await studio.ask("check", exit: 13)
      }
    }

    @Test func whatIsWithdrawnIsGoneForPeers() async throws {
      try await Household.with("studio", "laptop") { house in
        let (studio, laptop) = (house.node("studio"), house.node("laptop"))
        try await house.pair(studio, laptop)
        let path = try house.write("art/a", "1")
        try await studio.ask("share", "\(house.path)/art", "--to", "laptop")
        try house.write("art/b", "2")
        try await studio.ask("share", "\(house.path)/art")
        #expect(try await studio.ask("unshare", "art@v2")["versions"] == .array([2]))
        #expect(try await laptop.ask("pull", "studio/art", "-o", "\(house.path)/models")["version"] == 1)
        try await laptop.ask("pull", "studio/art@v2", "-o", "\(house.path)/models", exit: 11)
        try await studio.ask("unshare", "art")
        #expect(try await laptop.ask("ls", "studio")["artifacts"] == .array([]))
        try await laptop.ask("pull", "studio/art", "-o", "\(house.path)/models", exit: 11)
        try await studio.ask("unshare", "art", exit: 11)
        #expect(house.read("models/art/a") != nil, "what was pulled stays")
        #expect(access(path, F_OK) == 0)
      }
    }

    @Test func aRevokedPeerMayDoNothingAndIsToldSo() async throws {
      try await Household.with("studio", "laptop") { house in
        let (studio, laptop) = (house.node("studio"), house.node("laptop"))
        try await house.pair(studio, laptop)
        let path = try house.write("a.bin", "x")
        try await studio.ask("share", path, "--to", "laptop")
        try await laptop.ask("ls", "studio")
        try await studio.ask("revoke", "laptop")
        #expect(try await studio.ask("peers")["peers"] == .array([]))
        for arguments in [["ls", "studio"], ["pull", "studio/a.bin"], ["show", "studio/a.bin"]] {
          let outcome = try await laptop.run(arguments[0], arguments[1], "-q", workingDirectory: house.path)
          #expect(outcome.exit == 14, "\(outcome.error)")
          #expect(outcome.error.contains("studio"))
        }
        // Silence does not say why, and the message claims no more than is known; it says where to look.
        try await house.eventually("the silence is told, and what to do") {
          let outcome = try await laptop.run("ls", "studio")
          #expect(outcome.exit == 14, "\(outcome.error)")
          return outcome.error.contains("hung up before it said anything; why is not known")
            && outcome.error.contains("does `pawl peers` list this node?")
        }
        // It does not hammer at the door that was closed to it.
        let log = try String(contentsOfFile: laptop.log, encoding: .utf8)
        #expect(log.split(separator: "\n").count < 60)

        try await house.pair(studio, laptop)
        #expect(
          try await laptop.ask("ls", "studio")["artifacts"] == .array([]), "the old audience is gone with the old pairing")
        try await studio.ask("share", path, "--to", "laptop")
        try await laptop.ask("pull", "studio/a.bin", "-o", "\(house.path)/models")
      }
    }
  }
}
