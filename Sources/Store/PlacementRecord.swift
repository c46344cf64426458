internal import Artifact
internal import Primitives
internal import Wire

/// A plan as the transfer's record keeps it: JSON, written and read front to back, so that 100,000 files cost their text and
/// nothing beside it. What a file has like most others is left out.
extension PlacementPlan {
  /// The plan as JSON, for the transfer's record.
  public func encoded() -> [UInt8] {
    var json: [UInt8] = []
    // Grown while it is written, it would be there twice for a moment.
    json.reserveCapacity(
      files.reduce(512) { bytes, file in
        bytes + 192 + file.path.utf8.count + (file.target == staging(file) ? 0 : file.target.utf8.count)
      } + (emptyFolders ?? []).reduce(0) { bytes, path in bytes + 3 + path.utf8.count })
    func string(_ key: StaticString, _ value: String) {
      json.append(contentsOf: String(describing: key).utf8)
      JSONValue.write(value, into: &json)
    }
    func raw(_ text: String) { json.append(contentsOf: text.utf8) }
    string("{\"destination\":", destination)
    if let folder { string(",\"folder\":", folder) }
    string(",\"partialName\":", partialName)
    raw(",\"chunkBytes\":\(chunkBytes)")
    string(",\"rule\":", rule.rawValue)
    raw(",\"files\":[")
    for (place, file) in files.enumerated() {
      raw("\(place == 0 ? "" : ","){\"index\":\(file.index)")
      string(",\"path\":", file.path)
      if file.target != staging(file) { string(",\"target\":", file.target) }
      raw(",\"sizeBytes\":\(file.sizeBytes)")
      if file.isExecutable { raw(",\"isExecutable\":true") }
      string(",\"root\":", file.root.hex)
      if file.action != .write { string(",\"action\":", file.action.rawValue) }
      raw("}")
    }
    raw("]")
    if let emptyFolders {
      raw(",\"emptyFolders\":[")
      for (place, path) in emptyFolders.enumerated() {
        if place > 0 { raw(",") }
        JSONValue.write(path, into: &json)
      }
      raw("]")
    }
    raw("}")
    return json
  }

  /// The plan of a transfer's record; `badRecord` if that does not hold one.
  public init(decoding bytes: [UInt8]) throws(StoreError) {
    do { self = try Self.read(bytes.span) } catch {
      throw StoreError(.badRecord, detail: "the transfer's plan cannot be read")
    }
  }

  private static func read(_ bytes: Span<UInt8>) throws -> PlacementPlan {
    var scanner = JSONScanner(bytes)
    var destination: String?
    var folder: String?
    var partialName: String?
    var chunkBytes: Int?
    var rule: ConflictRule?
    var files: [PlannedFile]?
    var emptyFolders: [String]?
    guard try scanner.next() == .beginObject else { throw Unreadable() }
    while let key = try member(&scanner) {
      switch key {
      case "destination": destination = try text(&scanner)
      case "folder": folder = try text(&scanner)
      case "partialName": partialName = try text(&scanner)
      case "chunkBytes": chunkBytes = Int(try number(&scanner))
      case "rule": rule = ConflictRule(rawValue: try text(&scanner))
      case "files": files = try readFiles(&scanner, folder: folder)
      case "emptyFolders": emptyFolders = try texts(&scanner)
      default: throw Unreadable()
      }
    }
    _ = try scanner.next()
    guard let destination, let partialName, let chunkBytes, let rule, let files else { throw Unreadable() }
    return PlacementPlan(
      destination: destination, folder: folder, partialName: partialName, chunkBytes: chunkBytes, rule: rule, files: files,
      emptyFolders: emptyFolders)
  }

  /// `folder` as far as it is known: older records name it after the files, and give every target.
  private static func readFiles(_ scanner: inout JSONScanner, folder: String?) throws -> [PlannedFile] {
    var files: [PlannedFile] = []
    guard try scanner.next() == .beginArray else { throw Unreadable() }
    while true {
      switch try scanner.next() {
      case .beginObject: files.append(try readFile(&scanner, folder: folder))
      case .endArray: return files
      default: throw Unreadable()
      }
    }
  }

  private static func readFile(_ scanner: inout JSONScanner, folder: String?) throws -> PlannedFile {
    var index: Int?
    var path: String?
    var target: String?
    var sizeBytes: UInt64?
    var isExecutable = false
    var root: Digest?
    var action: PlannedFile.Action? = .write
    while let key = try member(&scanner) {
      switch key {
      case "index": index = Int(try number(&scanner))
      case "path": path = try text(&scanner)
      case "target": target = try text(&scanner)
      case "sizeBytes": sizeBytes = try number(&scanner)
      case "isExecutable": isExecutable = try scanner.next() == .bool(true)
      case "root": root = try Digest(hex: text(&scanner))
      case "action": action = PlannedFile.Action(rawValue: try text(&scanner))
      default: throw Unreadable()
      }
    }
    guard let index, let path, let sizeBytes, let root, let action else { throw Unreadable() }
    return PlannedFile(
      index: index, path: path, target: target ?? staging(path, folder: folder), sizeBytes: sizeBytes,
      isExecutable: isExecutable, root: root, action: action)
  }

  /// The next member's name, or nil at the object's end.
  private static func member(_ scanner: inout JSONScanner) throws -> String? {
    switch try scanner.next() {
    case .key(let name): return name
    case .endObject: return nil
    default: throw Unreadable()
    }
  }

  private static func text(_ scanner: inout JSONScanner) throws -> String {
    guard case .string(let text) = try scanner.next() else { throw Unreadable() }
    return text
  }

  private static func texts(_ scanner: inout JSONScanner) throws -> [String] {
    var texts: [String] = []
    guard try scanner.next() == .beginArray else { throw Unreadable() }
    while true {
      switch try scanner.next() {
      case .string(let text): texts.append(text)
      case .endArray: return texts
      default: throw Unreadable()
      }
    }
  }

  private static func number(_ scanner: inout JSONScanner) throws -> UInt64 {
    guard case .integer(let number) = try scanner.next() else { throw Unreadable() }
    return number
  }

  private struct Unreadable: Error {}
}
