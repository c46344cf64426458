internal import Primitives
internal import Wire

extension Manifest {
  /// Reads a manifest's bytes in one streaming pass: no tree is built, every limit is checked as it is reached, and what the
  /// schema does not name is refused unless it stands under `ext`.
  ///
  /// Returning means that every rule of the format is kept. Throws ``ArtifactError`` otherwise, most often
  /// ``ArtifactError/Code/invalidManifest`` or the code of the broken path rule.
  public init(decoding bytes: Span<UInt8>) throws(ArtifactError) {
    guard bytes.count <= Self.maximumBytes else {
      throw ArtifactError(.limitExceeded, "the manifest is larger than \(Self.maximumBytes) bytes")
    }
    do {
      self = try Self.read(bytes)
    } catch let error as ArtifactError {
      throw error
    } catch let failure as JSONFailure {
      throw ArtifactError(failure)
    } catch {
      throw Self.invalid("it cannot be read")
    }
  }

  private static func read(_ bytes: Span<UInt8>) throws -> Manifest {
    var scanner = JSONScanner(bytes)
    var name: String?
    var version: UInt64?
    var previous: Digest??
    var publisher: Digest?
    var created: UInt64?
    var note: String?
    var chunkBytes: UInt64?
    var files: [ManifestFile]?
    var environment: [EnvironmentFile] = []
    var isFolder = false
    var emptyFolders: [SafePath] = []
    var schema: String?
    try scanner.beginObject()
    while let key = try scanner.nextKey() {
      switch key {
      case "schema": schema = try scanner.string()
      case "name": name = try scanner.string()
      case "version": version = try scanner.integer()
      case "previous": previous = .some(try scanner.stringOrNull().map { try digest($0) })
      case "publisher": publisher = try digest(scanner.string())
      case "created": created = try scanner.integer()
      case "note": note = try scanner.string()
      case "chunk": chunkBytes = try scanner.integer()
      case "folder":
        isFolder = try scanner.bool()
        guard isFolder else { throw invalid("its “folder” is not true") }
      case "files": files = try readFiles(&scanner)
      case "environment": environment = try readEnvironment(&scanner)
      case "ext": emptyFolders = try readExtensions(&scanner)
      default: throw unknown(key)
      }
    }
    try scanner.endOfText()
    guard schema == Self.schema else { throw invalid("its schema is not \(Self.schema)") }
    guard let name, let version, let previous, let publisher, let created, let note, let chunkBytes, let files else {
      throw invalid("a key is missing")
    }
    guard let version = ArtifactVersion(exactly: version) else { throw invalid("its version is out of range") }
    guard let chunkBytes = Int(exactly: chunkBytes) else { throw invalid("its chunk size is out of range") }
    return try Manifest(
      name: ArtifactName(name), version: version, previous: previous, publisher: publisher, created: created, note: note,
      chunkBytes: chunkBytes, files: files, environment: environment, isFolder: isFolder, emptyFolders: emptyFolders)
  }

  /// The empty folders among the manifest's extensions; all others are passed over.
  private static func readExtensions(_ scanner: inout JSONScanner) throws -> [SafePath] {
    var folders: [SafePath]?
    try scanner.beginObject()
    while let key = try scanner.nextKey() {
      if key == "folders" { folders = try readFolders(&scanner) } else { try scanner.skipValue() }
    }
    return folders ?? []
  }

  private static func readFolders(_ scanner: inout JSONScanner) throws -> [SafePath] {
    var folders: [SafePath] = []
    try scanner.beginArray()
    while let path = try scanner.nextString() {
      guard folders.count < PathSet.maximumFolders else {
        throw ArtifactError(.limitExceeded, "more than \(PathSet.maximumFolders) folders")
      }
      folders.append(try SafePath(path))
    }
    guard !folders.isEmpty else { throw invalid("its list of folders is empty") }
    return folders
  }

  private static func readFiles(_ scanner: inout JSONScanner) throws -> [ManifestFile] {
    var files: [ManifestFile] = []
    try scanner.beginArray()
    while try scanner.nextObject() {
      guard files.count < maximumFiles else { throw tooManyFiles }
      files.append(try readFile(&scanner))
    }
    return files
  }

  /// The members of one file, whose object is open.
  private static func readFile(_ scanner: inout JSONScanner) throws -> ManifestFile {
    var path: SafePath?
    var size: UInt64?
    var mode: FileMode?
    var kind: FileKind?
    var sha256: Digest?
    var root: Digest?
    var format: FormatFacts?
    while let key = try scanner.nextKey() {
      switch key {
      case "path": path = try SafePath(scanner.string())
      case "size": size = try scanner.integer()
      case "mode": mode = try UInt16(exactly: scanner.integer()).flatMap(FileMode.init(rawValue:))
      case "kind": kind = try FileKind(rawValue: scanner.string())
      case "sha256": sha256 = try digest(scanner.string())
      case "root": root = try digest(scanner.string())
      case "format": format = try readFormat(&scanner)
      case "ext": try scanner.skipObject()
      default: throw unknown(key)
      }
    }
    guard let path, let size, let mode, let kind, let sha256, let root else {
      throw invalid("a file lacks a key, or has a mode or kind that there is not")
    }
    return ManifestFile(path: path, sizeBytes: size, mode: mode, kind: kind, sha256: sha256, root: root, format: format)
  }

  private static func readFormat(_ scanner: inout JSONScanner) throws -> FormatFacts {
    var dtypes: [FormatFacts.DTypeCount]?
    var tensors: UInt64?
    var parameters: UInt64?
    var metadata: UInt64 = 0
    var kohya = false
    var malformed = false
    try scanner.beginObject()
    while let key = try scanner.nextKey() {
      switch key {
      case "dtypes": dtypes = try readDTypes(&scanner)
      case "tensors": tensors = try scanner.integer()
      case "parameters": parameters = try scanner.integer()
      case "metadata": metadata = try scanner.integer()
      case "kohya": kohya = try scanner.bool()
      case "malformed": malformed = try scanner.bool()
      case "ext": try scanner.skipObject()
      default: throw unknown(key)
      }
    }
    if malformed {
      guard dtypes == nil, tensors == nil, parameters == nil else { throw invalid("facts about a malformed file") }
      return .malformed
    }
    guard let dtypes, let tensors, let parameters else { throw invalid("a file's format lacks a key") }
    guard tensors <= UInt64(Safetensors.maximumTensors), metadata <= UInt64(Safetensors.maximumHeaderBytes),
      UInt64(dtypes.reduce(0) { $0 + $1.tensors }) == tensors
    else { throw invalid("a file's format has numbers that do not fit") }
    return FormatFacts(
      dtypes: dtypes, tensors: Int(tensors), parameters: parameters, metadataKeys: Int(metadata), hasKohyaMetadata: kohya)
  }

  private static func readDTypes(_ scanner: inout JSONScanner) throws -> [FormatFacts.DTypeCount] {
    var dtypes: [FormatFacts.DTypeCount] = []
    try scanner.beginObject()
    while let name = try scanner.nextKey() {
      let count = try scanner.integer()
      guard dtypes.count < FormatFacts.maximumDTypes, FormatFacts.isDType(name), count <= UInt64(Safetensors.maximumTensors)
      else { throw invalid("a file's format has an element type that there is not") }
      dtypes.append(FormatFacts.DTypeCount(name: name, tensors: Int(count)))
    }
    return dtypes.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
  }

  private static func readEnvironment(_ scanner: inout JSONScanner) throws -> [EnvironmentFile] {
    var files: [EnvironmentFile]?
    try scanner.beginObject()
    while let key = try scanner.nextKey() {
      switch key {
      case "files": files = try readEnvironmentFiles(&scanner)
      case "ext": try scanner.skipObject()
      default: throw unknown(key)
      }
    }
    guard let files, !files.isEmpty else { throw invalid("its environment names no files") }
    return files
  }

  private static func readEnvironmentFiles(_ scanner: inout JSONScanner) throws -> [EnvironmentFile] {
    var files: [EnvironmentFile] = []
    try scanner.beginArray()
    while try scanner.nextObject() {
      var path: SafePath?
      var form: FileKind?
      while let key = try scanner.nextKey() {
        switch key {
        case "path": path = try SafePath(scanner.string())
        case "form": form = try FileKind(rawValue: scanner.string())
        default: throw unknown(key)
        }
      }
      guard let path, let form, files.count < EnvironmentFile.maximumFiles else {
        throw invalid("an environment file lacks a key, or there are too many")
      }
      files.append(EnvironmentFile(path: path, form: form))
    }
    return files
  }

  /// 64 lower-case digits.
  private static func digest(_ text: String) throws -> Digest {
    guard let bytes = Hex.decode(text), let digest = try? Digest(bytes) else { throw invalid("a hash is not 64 hex digits") }
    return digest
  }

  private static func unknown(_ key: String) -> ArtifactError {
    invalid("the key “\(DisplayText.escape(ArtifactName.shortened(key)))” is unknown")
  }
}
