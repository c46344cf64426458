extension ManifestRules {
  private static func repeated(_ text: String, _ count: Int) -> String { String(repeating: text, count: count) }

  /// Artifacts' names.
  static var names: [(String, String, String, Bool)] {
    [
      ("a name", "Letters, digits and what else is allowed.", "anime lora_v1.5+(x) Ä", true),
      ("a name of 128 bytes", "The longest.", repeated("a", 128), true),
      ("a name of 129 bytes", "Too long.", repeated("a", 129), false),
      ("65 letters of two bytes", "130 bytes.", repeated("ä", 65), false),
      ("an empty name", "One byte at least.", "", false),
      ("a name with a slash inside", "It names a peer.", "a/b", false),
      ("a name with a backslash", "A separator elsewhere.", "a\\b", false),
      ("a name with an at sign", "It names a version.", "a@v1", false),
      ("a name that begins with a hyphen", "An option.", "-a", false),
      ("a name that begins with a dot", "Hidden.", ".a", false),
      ("a decomposed name", "Not NFC.", "e\u{301}", false),
      ("a name with a line feed", "A control character.", "a\nb", false),
      ("a name with a C1 control", "U+009B.", "a\u{9b}b", false),
      ("a name with a bidirectional override", "U+202E.", "a\u{202e}b", false),
      ("a name with an isolate", "U+2066.", "a\u{2066}b", false),
      ("a name with a byte order mark", "U+FEFF.", "a\u{feff}b", false),
      ("a name with a line separator", "U+2028.", "a\u{2028}b", false),
    ]
  }

  /// Paths, one at a time.
  static var paths: [(String, String, String, Bool)] {
    [
      ("a path", "Three components.", "lora/v1/a b.safetensors", true),
      ("a path with letters beyond ASCII", "NFC.", "modèles/日本.bin", true),
      ("a path with a hidden component", "Only .pawl- is reserved.", ".config/x", true),
      ("a component like the reserved ones", "Without the hyphen.", ".pawl", true),
      ("a component of 255 bytes", "The longest.", repeated("a", 255), true),
      ("a path of 64 components", "The deepest.", Array(repeating: "a", count: 64).joined(separator: "/"), true),
      ("a component of 256 bytes", "Too long.", repeated("a", 256), false),
      ("a path of 65 components", "Too deep.", Array(repeating: "a", count: 65).joined(separator: "/"), false),
      ("a path of 1,024 bytes", "The longest.", repeated(repeated("a", 203) + "/", 5) + "abcd", true),
      ("a path of 1,025 bytes", "Too long.", repeated(repeated("a", 203) + "/", 5) + "abcde", false),
      ("an empty path", "One byte at least.", "", false),
      ("an absolute path", "It begins with a slash.", "/a", false),
      ("a slash at the end", "An empty component.", "a/", false),
      ("two slashes", "An empty component.", "a//b", false),
      ("one dot", "The folder itself.", "a/./b", false),
      ("two dots", "The folder above.", "a/../b", false),
      ("dots alone", "The folder above.", "..", false),
      ("a backslash", "A separator elsewhere.", "a\\b", false),
      ("a NUL", "The end of a name elsewhere.", "a\0b", false),
      ("an escape character", "A terminal obeys it.", "a\u{1b}[2J", false),
      ("DEL", "U+007F.", "a\u{7f}", false),
      ("a right-to-left override", "exe.bin reads as nib.exe.", "a\u{202e}nib.exe", false),
      ("a decomposed path", "Not NFC.", "e\u{301}/a", false),
      ("a reserved component", ".pawl-.", "a/.pawl-1", false),
      ("a reserved component in capitals", "Folded.", ".PAWL-1", false),
      ("a reserved component with a soft hyphen", "Folded: U+00AD is not seen.", ".pa\u{ad}wl-1", false),
      ("a reserved component with a zero-width joiner", "Folded: U+200D is not seen.", "\u{200d}.pawl-1", false),
    ]
  }

  /// The paths of one artifact.
  static var sets: [(String, String, [String], Bool)] {
    [
      ("paths side by side", "None collides.", ["a", "b/a", "b/c", "c/a/a"], true),
      ("names that only begin alike", "a and a-b and a.b.", ["a", "a-b", "a.b"], true),
      ("dotless i", "It stays apart from i.", ["i", "ı"], true),
      ("equal components in different folders", "Each folder has its own.", ["A/x", "B/X"], true),
      ("equal paths", "Twice.", ["a", "a"], false),
      ("case", "One file on some disks.", ["README", "Readme"], false),
      ("case of folders", "One folder on some disks.", ["A/x", "a/y"], false),
      ("case of a folder further down", "One folder on some disks.", ["x/A/1", "x/a/2"], false),
      ("a file and a folder", "b is both.", ["a/b", "a/b/c"], false),
      ("a file and a folder in another case", "B is both.", ["B", "b/c"], false),
      ("sharp s", "Full case folding: ß is ss.", ["STRASSE", "straße"], false),
      ("a capital sharp s", "ẞ is ß is ss.", ["ẞ", "ß"], false),
      ("sigmas", "σ, ς and Σ are one.", ["Σ", "ς"], false),
      ("a ligature", "ﬁ is fi.", ["fi", "ﬁ"], false),
      ("the Kelvin sign is not in NFC", "K for K.", ["\u{212a}"], false),
      ("a zero-width space", "U+200B is not seen.", ["a", "a\u{200b}"], false),
      ("a variation selector", "U+FE0F is not seen.", ["a", "a\u{fe0f}"], false),
      ("Cyrillic and Latin", "Two letters that look alike are two.", ["a", "а"], true),
      ("accents", "é and e are two.", ["e", "é"], true),
      ("accents in another case", "É and é are one.", ["É", "é"], false),
    ]
  }
}
