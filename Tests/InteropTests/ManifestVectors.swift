import Artifact
import Wire

@testable import Primitives
@testable import Session

/// `manifest.json`: manifests, their signatures, and the JSON, names and paths in them.
enum ManifestVectors: VectorKind {
  static let file = "manifest"
  static let section = "12"
  static let about =
    "Manifests. `json`: a text by the rules of §10. `manifest`: a text, its digest, and what our writer makes of it. `signed`: the object of kind 1, held against a digest and a publisher. `name`, `path`, `paths`: an artifact's name, one path, the paths of one artifact."

  static func make(_ recorder: Recorder) throws -> [VectorCase] {
    let texts = JSONTexts.cases.map { text in
      text.set(VectorCase(text.name, text.about, op: "json")).expect(text.isGood ? .ok : .json)
    }
    let good = try ManifestRules.good.map { name, about, text in
      let bytes = Array(text.utf8)
      return VectorCase(name, about, op: "manifest").text("text", text).hex("digest", SHA256Hash.hash(bytes).bytes)
        .text("canonical", String(decoding: try Manifest(decoding: bytes.span).encoded(), as: UTF8.self)).expect(.ok)
    }
    let bad = ManifestRules.bad.map { rule in
      VectorCase(rule.name, rule.about, op: "manifest").text("text", rule.text).expect(rule.expected)
    }
    let names = ManifestRules.names.map { name, about, text, isGood in
      VectorCase(name, about, op: "name").text("text", text).expect(isGood ? .ok : .content)
    }
    let paths = ManifestRules.paths.map { name, about, text, isGood in
      VectorCase(name, about, op: "path").text("text", text).expect(isGood ? .ok : .content)
    }
    let sets = ManifestRules.sets.map { name, about, texts, isGood in
      VectorCase(name, about, op: "paths").texts("texts", texts).expect(isGood ? .ok : .content)
    }
    return texts + good + bad + names + paths + sets + (try signed(recorder))
  }

  private static func signed(_ recorder: Recorder) throws -> [VectorCase] {
    let publisher = try Party(seed: 101, recorder)
    let other = try Party(seed: 102, recorder)
    func object(_ text: String, _ signer: Party, as kind: SignatureKind = .manifest) throws -> SignedManifest {
      let bytes = Array(text.utf8)
      return try SignedManifest(
        bytes: bytes, signature: try signer.identity.sign(kind: kind, body: bytes, crypto: signer.crypto))
    }
    let text = ManifestRules.text(publisher: publisher.id.hex)
    let right = try object(text, publisher)
    let base = VectorCase("a signed manifest", "lp(bytes) and lp(signature).", op: "signed")
      .hex("publisher record", publisher.record.bytes).hex("digest", right.digest.bytes)
    func bad(
      _ name: String, _ about: String, _ object: [UInt8], _ expected: FailureClass, digest: [UInt8]? = nil
    ) -> VectorCase {
      base.renamed(name, about).hex("digest", digest ?? right.digest.bytes).hex("object", object).expect(expected)
    }
    let broken = try object(text + "x", publisher)
    let foreign = try object(ManifestRules.text(publisher: other.id.hex), publisher)
    let bytes = right.encoded
    return [
      base.hex("object", bytes).expect(.ok),
      bad(
        "another artifact", "Its digest is not the one that was asked for.", try object(text + " ", publisher).encoded, .content
      ),
      bad(
        "a manifest signed by another node", "The publisher's record is another.", try object(text, other).encoded, .signature),
      bad(
        "a manifest signed as a bundle", "The right keys, another kind.", try object(text, publisher, as: .bundle).encoded,
        .signature),
      bad("a manifest with a bad signature", "The last byte.", flipped(bytes, at: -1), .signature),
      bad(
        "a signed text that is no JSON", "Digest and signature are right.", broken.encoded, .json, digest: broken.digest.bytes),
      bad(
        "a manifest of another publisher", "Signed by this one, and right otherwise.", foreign.encoded, .content,
        digest: foreign.digest.bytes),
      bad("an object with a byte more", "Bytes left over.", bytes + [0], .malformed),
      bad("an object cut short", "A byte is missing.", Array(bytes.dropLast()), .malformed),
      bad(
        "a length beyond the object", "The manifest would be longer than all of it.", [0, 1, 0, 0] + bytes[4...], .malformed),
      bad("a length beyond any manifest", "32 MiB and one.", [2, 0, 0, 1] + bytes[4...], .malformed),
    ]
  }

  static func check(_ vector: VectorCase) throws {
    switch try vector.text("op") {
    case "json":
      let bytes = try bytes(vector)
      try StrictJSON.validate(bytes.span)
    case "manifest":
      let bytes = try bytes(vector)
      try StrictJSON.validate(bytes.span)
      let manifest = try Manifest(decoding: bytes.span)
      try vector.same("digest", SHA256Hash.hash(bytes).bytes)
      let canonical = try manifest.encoded()
      try vector.same("canonical", String(decoding: canonical, as: UTF8.self))
      try insist(try Manifest(decoding: canonical.span) == manifest, "what is written is read otherwise")
    case "signed": try open(vector)
    case "name": try insist(try ArtifactName(try vector.text("text")).text == vector.text("text"), "another name")
    case "path": try insist(try SafePath(try vector.text("text")).text == vector.text("text"), "another path")
    case "paths":
      var set = PathSet()
      for text in try vector.texts("texts") { try set.insert(try SafePath(text)) }
    default: throw try unknownOperation(vector)
    }
  }

  private static func bytes(_ vector: VectorCase) throws -> [UInt8] {
    vector.has("bytes") ? try vector.hex("bytes") : Array(try vector.text("text").utf8)
  }

  private static func open(_ vector: VectorCase) throws {
    let (object, recordBytes) = (try vector.hex("object"), try vector.hex("publisher record"))
    let record = try IdentityRecord(parsing: recordBytes.span)
    guard let signed = try? SignedManifest(encoded: object.span) else { throw Refusal(failure: .malformed) }
    let digest = try Digest(try vector.hex("digest"))
    let isVerified = record.verify(kind: .manifest, body: signed.bytes, signature: signed.signature)
    // The reason behind “not valid” is for people; here, JSON comes before the other rules.
    if signed.digest == digest, isVerified { try StrictJSON.validate(signed.bytes.span) }
    _ = try signed.open(digest: digest, publisher: record.id.digest) { bytes, signature in
      record.verify(kind: .manifest, body: bytes, signature: signature)
    }
    try insist(signed.encoded == object, "the object is written otherwise than it was read")
  }
}

/// A text for a JSON reader.
struct JSONTexts {
  let name: String
  let about: String
  let bytes: [UInt8]
  let isGood: Bool

  func set(_ vector: VectorCase) -> VectorCase {
    guard let text = String(validating: bytes, as: UTF8.self) else { return vector.hex("bytes", bytes) }
    return vector.text("text", text)
  }

  private static func good(_ name: String, _ about: String, _ text: String) -> JSONTexts {
    JSONTexts(name: name, about: about, bytes: Array(text.utf8), isGood: true)
  }

  private static func bad(_ name: String, _ about: String, _ text: String) -> JSONTexts {
    JSONTexts(name: name, about: about, bytes: Array(text.utf8), isGood: false)
  }

  private static func nested(_ depth: Int) -> String {
    String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
  }

  static let cases: [JSONTexts] = [
    good("all there is", "Every kind of value.", #"{"a":[0,1,9007199254740991],"b":"x","c":true,"d":false,"e":null,"f":{}}"#),
    good("every white space", "20, 09, 0A and 0D.", " \t\r\n{ \"a\" : [ 1 , 2 ] }\r\n"),
    good("every escape", "And a surrogate pair.", #""\"\\\/\b\f\n\r\t\u00e9\uD83D\ude00""#),
    good("sixteen levels", "As deep as it goes.", nested(16)),
    good("keys that differ in case", "They are two.", #"{"a":1,"A":2}"#),
    good("equal keys in different objects", "Each object has its own.", #"{"a":{"a":1},"b":{"a":2}}"#),
    bad("seventeen levels", "One too many.", nested(17)),
    bad("nothing", "An empty text.", ""),
    bad("white space alone", "No value.", " "),
    bad("two values", "One is all.", "1 2"),
    bad("a byte order mark", "EF BB BF.", "\u{feff}{}"),
    JSONTexts(name: "not UTF-8", about: "C3 without its second byte.", bytes: [0x22, 0xC3, 0x22], isGood: false),
    JSONTexts(name: "an overlong encoding", about: "C0 AF is no slash.", bytes: [0x22, 0xC0, 0xAF, 0x22], isGood: false),
    JSONTexts(name: "an encoded surrogate", about: "ED A0 80.", bytes: [0x22, 0xED, 0xA0, 0x80, 0x22], isGood: false),
    bad("a key twice", "Whatever its values.", #"{"a":1,"a":1}"#),
    bad("a key twice, once escaped", "Compared after unescaping.", #"{"a":1,"\u0061":1}"#),
    bad("a key twice by equivalence", "Composed and decomposed.", #"{"\u00e9":1,"e\u0301":1}"#),
    bad("half a surrogate pair", "The first half alone.", #""\ud800""#),
    bad("the other half", "The second half alone.", #""\udc00""#),
    bad("halves exchanged", "Second, first.", #""\udc00\ud800""#),
    bad("a first half and a letter", "No pair.", #""\ud800a""#),
    bad("a raw line feed in a string", "Below 20.", "\"a\nb\""),
    bad("a raw NUL in a string", "Below 20.", "\"a\0b\""),
    bad("an unknown escape", "\\x.", #""\x41""#),
    bad("a short escape", "Three digits.", #""\u041""#),
    bad("a string without an end", "Cut.", #""abc"#),
    bad("an object without an end", "Cut.", #"{"a":1"#),
    bad("a comma too many", "In an object.", #"{"a":1,}"#),
    bad("a comma too many in an array", "And nothing behind it.", "[1,]"),
    bad("a comma too few", "In an array.", "[1 2]"),
    bad("a key without a value", "And without a colon.", #"{"a"}"#),
    bad("a key that is no string", "A number.", "{1:2}"),
    bad("a comment", "There are none.", "[1/**/]"),
    bad("single quotes", "They quote nothing.", "'a'"),
    bad("a literal in capitals", "True.", "True"),
    bad("NaN", "No value.", "NaN"),
    bad("a negative number", "No sign.", "-1"),
    bad("minus zero", "No sign.", "-0"),
    bad("a plus sign", "No sign.", "+1"),
    bad("a fraction", "Even .0.", "1.0"),
    bad("an exponent", "Even e0.", "1e0"),
    bad("a leading zero", "01.", "01"),
    bad("2^53", "One more than the largest number.", "9007199254740992"),
    bad("2^64", "It fits no integer.", "18446744073709551616"),
    bad("a vertical tab around it", "No white space here.", "\u{b}{}"),
    bad("a no-break space around it", "No white space here.", "\u{a0}{}"),
  ]
}
