import Artifact
import Testing

@Suite struct NameTests {
  @Test(arguments: ["anime-lora", "a", "my lora v2", "模型", "🦊.lora", "x.safetensors", "ß", String(repeating: "n", count: 128)])
  func ordinaryNamesAreTaken(text: String) throws {
    #expect(try ArtifactName(text).text == text)
  }

  @Test(arguments: [
    "", ".", "..", ".hidden", "-rf", "a/b", "a@v1", "a\\b", "a\u{0}b", "a\nb", "a\u{1B}[2J", "a\u{7F}", "a\u{9B}2J",
    "a\u{202E}b",
    "a\u{2028}b", "\u{FEFF}a", "e\u{301}", String(repeating: "n", count: 129), String(repeating: "模", count: 43),
  ])
  func unfitNamesAreRefusedWithASafeReason(text: String) {
    do {
      _ = try ArtifactName(text)
      Issue.record("taken: \(text.debugDescription)")
    } catch {
      #expect(error.code == .invalidName)
      #expect(error.reason.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F && $0.value != 0x202E })
      #expect(error.reason.utf8.count < 400)
    }
  }

  @Test func referencesAreRead() throws {
    let full = try ArtifactReference("studio/anime-lora@v3")
    #expect(full.peer == "studio" && full.name.text == "anime-lora" && full.version == 3)
    #expect(full.description == "studio/anime-lora@v3")
    let bare = try ArtifactReference("anime-lora")
    #expect(bare.peer == nil && bare.version == nil && bare.description == "anime-lora")
    #expect(try ArtifactReference("模型@v4294967295").version == 4_294_967_295)
    // A Mac's shell may hand over the decomposed form: it is the same name.
    #expect(try ArtifactReference("cafe\u{301}").name == ArtifactName("caf\u{E9}"))
  }

  @Test(arguments: [
    "", "/", "a/", "/a", "a/b/c", "a@", "a@v", "a@3", "a@v0", "a@v01", "a@v-1", "a@v4294967296", "a@v1@v2", "@v1", "p/@v1",
    ".p/a", "p q/a", "-/a", "\u{1B}/a", "p/.a", "a@v1 ", "a@V1", "a@v१", String(repeating: "p", count: 65) + "/a",
  ])
  func otherReferencesAreRefused(text: String) {
    #expect([.invalidReference, .invalidName].contains(code { _ = try ArtifactReference(text) }))
  }

  @Test func partsThatNoTextHasMakeNoReference() throws {
    let name = try ArtifactName("a")
    #expect(code { _ = try ArtifactReference(peer: nil, name: name, version: 0) } == .invalidReference)
    #expect(code { _ = try ArtifactReference(peer: "a b", name: name, version: 1) } == .invalidReference)
    #expect(try ArtifactReference(peer: "p", name: name, version: nil).description == "p/a")
  }
}
