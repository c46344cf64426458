internal import Primitives
internal import Wire

extension Manifest {
  /// The manifest's JSON: members in a fixed order, no space, the same bytes for the same value. These bytes are signed, and
  /// their SHA-256 is the artifact digest.
  ///
  /// Throws ``ArtifactError/Code/limitExceeded`` if they are more than ``maximumBytes``.
  public func encoded() throws(ArtifactError) -> [UInt8] {
    var json = JSONText()
    json.string("{\"schema\":", Self.schema)
    json.string(",\"name\":", name.text)
    json.integer(",\"version\":", UInt64(version))
    if let previous { json.string(",\"previous\":", previous.hex) } else { json.raw(",\"previous\":null") }
    json.string(",\"publisher\":", publisher.hex)
    json.integer(",\"created\":", created)
    json.string(",\"note\":", note)
    json.integer(",\"chunk\":", UInt64(chunkBytes))
    if Self.isAmbiguous(files), !isSingleFile { json.raw(",\"folder\":true") }
    if !environment.isEmpty {
      for (index, file) in environment.enumerated() {
        json.string(index == 0 ? ",\"environment\":{\"files\":[{\"path\":" : ",{\"path\":", file.path.text)
        json.string(",\"form\":", file.form.rawValue)
        json.raw("}")
      }
      json.raw("]}")
    }
    json.raw(",\"files\":[")
    for (index, file) in files.enumerated() { write(file, isFirst: index == 0, to: &json) }
    json.raw("]")
    if !emptyFolders.isEmpty {
      for (index, folder) in emptyFolders.enumerated() {
        json.string(index == 0 ? ",\"ext\":{\"folders\":[" : ",", folder.text)
      }
      json.raw("]}")
    }
    json.raw("}")
    guard json.bytes.count <= Self.maximumBytes else {
      throw ArtifactError(.limitExceeded, "the manifest would be larger than \(Self.maximumBytes) bytes")
    }
    return json.bytes
  }

  private func write(_ file: ManifestFile, isFirst: Bool, to json: inout JSONText) {
    json.string(isFirst ? "{\"path\":" : ",{\"path\":", file.path.text)
    json.integer(",\"size\":", file.sizeBytes)
    json.integer(",\"mode\":", UInt64(file.mode.rawValue))
    json.string(",\"kind\":", file.kind.rawValue)
    json.string(",\"sha256\":", file.sha256.hex)
    json.string(",\"root\":", file.root.hex)
    if let format = file.format { write(format, to: &json) }
    json.raw("}")
  }

  private func write(_ format: FormatFacts, to json: inout JSONText) {
    if format.isMalformed {
      json.raw(",\"format\":{\"malformed\":true}")
      return
    }
    json.raw(",\"format\":{\"dtypes\":{")
    for (index, dtype) in format.dtypes.enumerated() {
      json.string(index == 0 ? "" : ",", dtype.name)
      json.integer(":", UInt64(dtype.tensors))
    }
    json.integer("},\"tensors\":", UInt64(format.tensors))
    json.integer(",\"parameters\":", format.parameters)
    if format.metadataKeys > 0 { json.integer(",\"metadata\":", UInt64(format.metadataKeys)) }
    if format.hasKohyaMetadata { json.raw(",\"kohya\":true") }
    json.raw("}")
  }
}

/// JSON written front to back.
private struct JSONText {
  var bytes: [UInt8] = []

  mutating func raw(_ text: StaticString) {
    bytes.append(contentsOf: String(describing: text).utf8)
  }

  mutating func string(_ before: StaticString, _ value: String) {
    raw(before)
    JSONValue.write(value, into: &bytes)
  }

  mutating func integer(_ before: StaticString, _ value: UInt64) {
    raw(before)
    bytes.append(contentsOf: String(value).utf8)
  }
}
