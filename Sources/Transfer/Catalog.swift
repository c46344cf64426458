public import Artifact
public import Primitives
internal import Wire

/// One artifact in a list or an answer: what a peer may know before it has the manifest. All of it is the sender's word.
public struct CatalogEntry: Hashable, Sendable {
  /// The publisher's name for it.
  public let name: ArtifactName
  /// The version.
  public let version: ArtifactVersion
  /// The artifact digest.
  public let digest: Digest
  /// The length of all files together.
  public let sizeBytes: UInt64
  /// How many files.
  public let files: Int
  /// The publisher's message; escape it before printing.
  public let note: String
  /// When it was published, Unix seconds.
  public let created: UInt64
  /// The publisher's node id.
  public let publisher: Digest

  /// An entry.
  public init(
    name: ArtifactName, version: ArtifactVersion, digest: Digest, sizeBytes: UInt64, files: Int, note: String,
    created: UInt64, publisher: Digest
  ) {
    self.name = name
    self.version = version
    self.digest = digest
    self.sizeBytes = sizeBytes
    self.files = files
    self.note = note
    self.created = created
    self.publisher = publisher
  }

  /// The entry of a manifest.
  public init(_ manifest: Manifest, digest: Digest) {
    self.init(
      name: manifest.name, version: manifest.version, digest: digest, sizeBytes: manifest.totalBytes,
      files: manifest.files.count, note: manifest.note, created: manifest.created, publisher: manifest.publisher)
  }

  init(_ fields: ControlFields) throws(ControlError) {
    name = try fields.name("name")
    version = try fields.version("version")
    digest = try fields.digest("digest")
    sizeBytes = try fields.integer("bytes")
    files = Int(try fields.integer("files", in: 0...UInt64(Manifest.maximumFiles)))
    note = try fields.text("note", atMost: Manifest.maximumNoteBytes)
    created = try fields.integer("created")
    publisher = try fields.digest("publisher")
  }

  var value: JSONValue {
    var writer = ControlWriter()
    writer.set("name", name.text)
    writer.set("version", UInt64(version))
    writer.set("digest", digest)
    writer.set("bytes", sizeBytes)
    writer.set("files", UInt64(files))
    writer.set("note", note)
    writer.set("created", created)
    writer.set("publisher", publisher)
    return writer.value
  }

  /// Where a page that ends with this entry goes on. Sorts as the entries do.
  fileprivate var position: Position { Position(name: name.text, version: version) }
}

/// An entry's place in the list: by the bytes of its name, then by version.
private struct Position: Comparable {
  let name: String
  let version: ArtifactVersion

  init(name: String, version: ArtifactVersion) {
    self.name = name
    self.version = version
  }

  /// `NAME@vN`; nil for anything else. A name has no `@`.
  init?(_ text: String) {
    guard let reference = try? ArtifactReference(text), reference.peer == nil, let version = reference.version else {
      return nil
    }
    self.init(name: reference.name.text, version: version)
  }

  var text: String { "\(name)@v\(version)" }

  static func < (left: Position, right: Position) -> Bool {
    if left.name.utf8.elementsEqual(right.name.utf8) { return left.version < right.version }
    return left.name.utf8.lexicographicallyPrecedes(right.name.utf8)
  }
}

/// `{"type":"catalog.get","req":7}`, with `"after"` for the next page.
public struct CatalogRequest: Hashable, Sendable {
  static let type = "catalog.get"

  /// Echoed by the answer.
  public let request: RequestNumber
  /// ``Catalog/next`` of the page before; nil for the first.
  public let after: String?

  /// A request.
  public init(request: RequestNumber, after: String? = nil) {
    self.request = request
    self.after = after
  }

  /// Where ``after`` says that the page before ended; nil: the first page is asked for.
  public var position: (name: String, version: ArtifactVersion)? {
    after.flatMap { Position($0) }.map { ($0.name, $0.version) }
  }

  init(_ fields: ControlFields) throws(ControlError) {
    request = try fields.integer("req")
    after = fields.has("after") ? try fields.text("after", atMost: TransferLimits.cursorBytes) : nil
  }

  var value: JSONValue {
    var writer = ControlWriter(type: Self.type)
    writer.set("req", request)
    if let after { writer.set("after", after) }
    return writer.value
  }
}

/// `{"type":"catalog","req":7,"entries":[…],"next":"NAME@vN"}`: a page of what the asker may have; `next` unless it is the last.
public struct Catalog: Hashable, Sendable {
  static let type = "catalog"
  /// What a page takes beside its entries: the type, two numbers and the longest cursor, escaped.
  private static let frameBytes = 512

  /// The request that this answers.
  public let request: RequestNumber
  /// By the bytes of their names, then by version.
  public let entries: [CatalogEntry]
  /// What to ask for the next page with; nil on the last.
  public let next: String?

  /// The page of `all` that follows `after`, as long as an envelope allows. `all` may be in any order.
  public static func page(_ all: [CatalogEntry], request: RequestNumber, after: String?) -> Catalog {
    let start = after.flatMap { Position($0) }
    let rest = all.filter { entry in start.map { entry.position > $0 } ?? true }.sorted { $0.position < $1.position }
    var room = TransferLimits.payloadBytes - frameBytes
    var entries: [CatalogEntry] = []
    for entry in rest {
      room -= entry.value.serialized().count + 1
      guard entries.isEmpty || room >= 0, entries.count < TransferLimits.catalogEntries else { break }
      entries.append(entry)
    }
    let next = entries.count < rest.count ? entries.last?.position.text : nil
    return Catalog(request: request, entries: entries, next: next)
  }

  private init(request: RequestNumber, entries: [CatalogEntry], next: String?) {
    self.request = request
    self.entries = entries
    self.next = next
  }

  init(_ fields: ControlFields) throws(ControlError) {
    request = try fields.integer("req")
    var entries: [CatalogEntry] = []
    for element in try fields.array("entries", atMost: TransferLimits.catalogEntries) {
      entries.append(try CatalogEntry(try ControlFields(element)))
    }
    guard zip(entries, entries.dropFirst()).allSatisfy({ $0.position < $1.position }) else { throw ControlError(.malformed) }
    self.entries = entries
    next = fields.has("next") ? try fields.text("next", atMost: TransferLimits.cursorBytes) : nil
    // A page that names a next one has gone forward: no asker is led in circles.
    guard next == nil || next == entries.last?.position.text else { throw ControlError(.malformed) }
  }

  var value: JSONValue {
    var writer = ControlWriter(type: Self.type)
    writer.set("req", request)
    writer.set("entries", .array(entries.map(\.value)))
    if let next { writer.set("next", next) }
    return writer.value
  }
}

/// `{"type":"resolve","req":8,"name":"anime-lora","version":3}`; without `version`, the latest.
public struct Resolve: Hashable, Sendable {
  static let type = "resolve"

  /// Echoed by the answer.
  public let request: RequestNumber
  /// The name.
  public let name: ArtifactName
  /// The version; nil for the latest.
  public let version: ArtifactVersion?

  /// A question.
  public init(request: RequestNumber, name: ArtifactName, version: ArtifactVersion?) {
    self.request = request
    self.name = name
    self.version = version
  }

  init(_ fields: ControlFields) throws(ControlError) {
    request = try fields.integer("req")
    name = try fields.name("name")
    version = fields.has("version") ? try fields.version("version") : nil
  }

  var value: JSONValue {
    var writer = ControlWriter(type: Self.type)
    writer.set("req", request)
    writer.set("name", name.text)
    if let version { writer.set("version", UInt64(version)) }
    return writer.value
  }
}

/// `{"type":"resolved","req":8,"entry":{…}}`; `"entry":null` for what is not there and for what is not for the asker alike.
public struct Resolved: Hashable, Sendable {
  static let type = "resolved"

  /// The question that this answers.
  public let request: RequestNumber
  /// The artifact, or nil.
  public let entry: CatalogEntry?

  /// An answer.
  public init(request: RequestNumber, entry: CatalogEntry?) {
    self.request = request
    self.entry = entry
  }

  init(_ fields: ControlFields) throws(ControlError) {
    request = try fields.integer("req")
    entry = fields.has("entry") ? try CatalogEntry(try fields.object("entry")) : nil
  }

  var value: JSONValue {
    var writer = ControlWriter(type: Self.type)
    writer.set("req", request)
    writer.set("entry", entry?.value ?? .null)
    return writer.value
  }
}
