import Artifact
import Primitives
import Testing

@Suite struct ManifestTests {
  static func rich() throws -> Manifest {
    try manifest(
      [
        file("README.md", .text), file("empty.txt", size: 0, .text), file("environment.yml", .yaml),
        file("模型/🦊.bin", size: 1 << 30), file("env/requirements.txt", .text),
        file(
          "unet/lora.safetensors", size: 20_000_000, .safetensors,
          format: FormatFacts(
            dtypes: [.init(name: "BF16", tensors: 2), .init(name: "F16", tensors: 262)], tensors: 264, parameters: 123_456,
            metadataKeys: 40, hasKohyaMetadata: true)), file("bad.safetensors", .safetensors, format: .malformed),
      ], note: "v3 “ready”\n\u{1B}[2J\\\"\u{0}\u{10FFFF}")
  }

  @Test func aManifestComesBackAsItWas() throws {
    let original = try Self.rich()
    let bytes = try original.encoded()
    let decoded = try Manifest(decoding: bytes.span)
    #expect(decoded == original)
    #expect(try decoded.encoded() == bytes)
    #expect(decoded.files.map(\.path) == decoded.files.map(\.path).sorted())
    #expect(decoded.totalBytes == original.files.reduce(0) { $0 + $1.sizeBytes })
    #expect(decoded.totalChunks == 1_024 + 20 + 4)
    #expect(decoded.environment.map(\.form.rawValue) == ["pip-requirements", "conda-environment"])
  }

  @Test func theSameFilesInAnyOrderGiveTheSameBytes() throws {
    let files = try Self.rich().files
    let bytes = try manifest(files).encoded()
    var generator = SeededGenerator(seed: 5)
    for _ in 0..<10 { #expect(try manifest(files.shuffled(using: &generator)).encoded() == bytes) }
  }

  /// The format as `docs/PROTOCOL.md` shows it: a change here is a new schema.
  @Test func theBytesAreTheDocumentedOnes() throws {
    let text = try String(decoding: manifest([file("a.txt", .text)], note: "n").encoded(), as: UTF8.self)
    func hex(_ pair: String) -> String { String(repeating: pair, count: 32) }
    #expect(
      text == """
        {"schema":"pawl/manifest/1","name":"anime-lora","version":3,"previous":"\(hex("01"))","publisher":"\(hex("02"))",\
        "created":1700000000,"note":"n","chunk":1048576,"files":[{"path":"a.txt","size":5,"mode":420,"kind":"text",\
        "sha256":"\(hex("07"))","root":"\(hex("08"))"}]}
        """)
  }

  @Test func filesAreFoundByPath() throws {
    let manifest = try Self.rich()
    for (index, file) in manifest.files.enumerated() { #expect(manifest.index(of: file.path) == index) }
    for absent in ["A", "unet", "zzz", "模型"] { #expect(try manifest.index(of: SafePath(absent)) == nil) }
    #expect(manifest.layout(of: 99).count == 0)
    #expect(manifest.layout(of: -1).count == 0)
  }

  @Test func contentsAreComparedByFilesAlone() throws {
    let first = try manifest([file("a"), file("b")], note: "one")
    #expect(try first.hasSameContents(as: manifest([file("b"), file("a")], note: "two")))
    #expect(try !first.hasSameContents(as: manifest([file("a")])))
    #expect(try !first.hasSameContents(as: manifest([file("a"), file("b", size: 6)])))
    #expect(try !first.hasSameContents(as: manifest([file("a"), file("c")])))
    let executable = try ManifestFile(
      path: SafePath("b"), sizeBytes: 5, mode: .executable, kind: .other, sha256: digest(7), root: digest(8))
    #expect(try !first.hasSameContents(as: manifest([file("a"), executable])))
  }

  @Test func oneBareFileNeedsNoFolder() throws {
    #expect(try manifest([file("a")]).isSingleFile)
    let builder = { (isFolder: Bool) in
      var builder = try ManifestBuilder(name: ArtifactName("x"), isFolder: isFolder)
      builder.add(try file("a"))
      return try builder.build(version: 1, previous: nil, publisher: digest(1), created: 0, note: "")
    }
    let (folder, bare) = (try builder(true), try builder(false))
    #expect(bare.isSingleFile)
    #expect(!folder.isSingleFile)
    #expect(try decoded(folder.encoded()) == folder)
    #expect(try decoded(bare.encoded()) == bare)
    #expect(!folder.hasSameContents(as: bare))
    let untrue = String(decoding: try folder.encoded(), as: UTF8.self).replacing(#""folder":true"#, with: #""folder":false"#)
    #expect(code { _ = try decoded(Array(untrue.utf8)) } == .invalidManifest)
    #expect(try !manifest([file("a/b")]).isSingleFile)
    #expect(try !manifest([file("a"), file("b")]).isSingleFile)
  }

  @Test func aPublisherCannotBuildWhatAReceiverRefuses() throws {
    #expect(code { _ = try manifest([]) } == .invalidManifest)
    #expect(code { _ = try manifest([file("a"), file("a")]) } == .pathCollision)
    #expect(code { _ = try manifest([file("a"), file("A")]) } == .pathCollision)
    #expect(code { _ = try manifest([file("a", size: 1 << 40)]) } == .invalidLayout)
    #expect(code { _ = try manifest([file("a")], note: String(repeating: "n", count: 4_097)) } == .limitExceeded)
    let many = try (0..<65).map { try file("f\($0)", size: 1 << 36) }
    #expect(code { _ = try manifest(many) } == .limitExceeded)
    let falseEmpty = try ManifestFile(
      path: SafePath("e"), sizeBytes: 0, mode: .regular, kind: .other, sha256: HashTree.emptyRoot, root: digest(1))
    #expect(code { _ = try manifest([falseEmpty]) } == .invalidManifest)
    func checked(created: UInt64, environment: [EnvironmentFile]) throws {
      _ = try Manifest(
        name: ArtifactName("a"), version: 1, previous: nil, publisher: digest(2), created: created, note: "",
        chunkBytes: 1 << 20, files: [file("uv.lock")], environment: environment)
    }
    let lock = try #require(EnvironmentFile(recognising: SafePath("uv.lock")))
    try checked(created: Manifest.maximumInteger, environment: [lock])
    #expect(code { try checked(created: Manifest.maximumInteger + 1, environment: []) } == .invalidManifest)
    #expect(code { try checked(created: 1, environment: [lock, lock]) } == .invalidManifest)
    #expect(
      code {
        _ = try ManifestBuilder(name: ArtifactName("a")).build(
          version: 0, previous: nil, publisher: digest(2), created: 1, note: "")
      } == .invalidManifest)
  }

  @Test(.timeLimit(.minutes(5))) func aManifestOfAHundredThousandFilesIsReadAndOneOfMoreIsNot() throws {
    let files = (0..<Manifest.maximumFiles).map { index in
      HostileManifestTests.other("data/\(100 + index / 1_000)/图像-\(100_000 + index).safetensors")
    }
    let bytes = Array(HostileManifestTests.good.replacing(HostileManifestTests.one, with: files.joined(separator: ",")).utf8)
    #expect(bytes.count < Manifest.maximumBytes)
    let manifest = try Manifest(decoding: bytes.span)
    #expect(manifest.files.count == Manifest.maximumFiles)
    let tooMany = manifest.files + [try file("z")]
    #expect(
      code {
        _ = try Manifest(
          name: manifest.name, version: 1, previous: nil, publisher: digest(1), created: 1, note: "", chunkBytes: 1 << 20,
          files: tooMany)
      } == .limitExceeded)
  }
}

@Suite struct SignedManifestTests {
  static let signature: [UInt8] = [9, 9, 9]

  @Test func onlyTheExpectedManifestOfTheExpectedPublisherOpens() throws {
    let manifest = try ManifestTests.rich()
    let signed = try SignedManifest(bytes: manifest.encoded(), signature: Self.signature)
    let publisher = manifest.publisher
    #expect(signed.digest == SHA256Hash.hash(signed.bytes))
    let opened = try signed.open(digest: signed.digest, publisher: publisher) { $0 == signed.bytes && $1 == Self.signature }
    #expect(opened == manifest)
    #expect(try signed.open(digest: nil, publisher: publisher) { _, _ in true } == manifest)
    #expect(
      code { _ = try signed.open(digest: digest(3), publisher: publisher) { _, _ in true } } == .digestMismatch)
    #expect(
      code { _ = try signed.open(digest: signed.digest, publisher: publisher) { _, _ in false } } == .badSignature)
    #expect(
      code { _ = try signed.open(digest: signed.digest, publisher: digest(3)) { _, _ in true } } == .wrongPublisher)
  }

  @Test func nothingIsReadBeforeTheSignatureVerifies() throws {
    let signed = try SignedManifest(bytes: Array("{".utf8), signature: [])
    #expect(code { _ = try signed.open(digest: signed.digest, publisher: digest(2)) { _, _ in false } } == .badSignature)
    #expect(code { _ = try signed.open(digest: signed.digest, publisher: digest(2)) { _, _ in true } } == .invalidManifest)
  }

  @Test func aPartOfTheStoredFormIsCutFromItsParts() throws {
    let signed = try SignedManifest(bytes: [1, 2, 3, 4, 5], signature: [6, 7, 8])
    let whole = signed.encoded
    #expect(signed.encodedBytes == whole.count)
    for start in 0...whole.count {
      for end in start...whole.count { #expect(signed.encoded(start..<end) == Array(whole[start..<end])) }
    }
  }

  @Test func theStoredFormIsReadExactly() throws {
    let signed = try SignedManifest(bytes: ManifestTests.rich().encoded(), signature: Self.signature)
    let stored = try SignedManifest(encoded: signed.encoded.span)
    #expect(stored == signed)
    for damaged in [signed.encoded + [0], Array(signed.encoded.dropLast()), [], [255, 255, 255, 255]] {
      #expect(code { _ = try SignedManifest(encoded: damaged.span) } == .invalidManifest)
    }
    #expect(code { _ = try SignedManifest(bytes: [], signature: [UInt8](repeating: 0, count: 8_193)) } == .limitExceeded)
  }
}
