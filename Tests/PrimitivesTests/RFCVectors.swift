import Foundation
import Testing

/// A file of vectors taken from an RFC: `Vectors/<name>.json`.
enum RFCVectors {
  static func read<File: Decodable>(_ name: String, as type: File.Type = File.self) throws -> File {
    let url = try #require(Bundle.module.url(forResource: name, withExtension: "json", subdirectory: "Vectors"))
    return try JSONDecoder().decode(File.self, from: Data(contentsOf: url))
  }

  struct List<Case: Decodable>: Decodable { let vectors: [Case] }
}
