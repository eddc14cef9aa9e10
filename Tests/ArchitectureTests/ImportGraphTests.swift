import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The rooms know only what `docs/architecture.md` allows them to know.
@Suite struct ImportGraphTests {
  static let allowed: [String: Set<String>] = [
    "JSON": [], "Patterns": [], "Chat": ["Secrets"], "Secrets": [], "TextWidth": [], "Names": [], "Threads": [], "Formats": ["JSON"],
    "Language": ["TextWidth", "Names"],
    "Scheduling": ["Chat"],
    "Transport": ["CCurl", "Secrets", "Names"],
    "Providers": ["Transport", "Chat", "JSON", "Secrets"],
    "Interpreter": ["Language", "Scheduling", "Formats", "Patterns", "Chat", "JSON", "Secrets", "Names"],
    "Terminal": ["TextWidth", "Names"], "Control": ["JSON", "Names"],
    "Editor": ["CEdit", "Terminal", "TextWidth", "Names"], "Simulator": ["JSON"],
    "Shell": [
      "Interpreter", "Scheduling", "Providers", "Transport", "Terminal", "Editor", "Simulator", "Formats", "Control", "Language", "Chat",
      "JSON",
      "TextWidth", "Names", "CStart", "Secrets",
    ],
    "promptsh": ["Shell", "Names"],
  ]
  static let rooms = Set(allowed.keys).union(["CCurl", "CEdit", "CStart"])

  @Test(arguments: allowed.keys.sorted())
  func importsOnlyWhatItMay(_ room: String) throws {
    let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    let imports = try #require(Self.imports(in: "/\(root)/Sources/\(room)"))
    // Locks and threads know nothing, and may be used everywhere.
    let strangers = imports.intersection(Self.rooms).subtracting(Self.allowed[room] ?? []).subtracting(["Threads"])
    #expect(strangers.isEmpty, "\(room) imports \(strangers)")
    // Foundation costs the start-up several milliseconds; nobody needs it.
    #expect(imports.isDisjoint(with: ["Foundation", "FoundationEssentials", "FoundationNetworking"]))
  }

  private static func imports(in folder: String) -> Set<String>? {
    guard let directory = opendir(folder) else { return nil }
    defer { closedir(directory) }
    var found: Set<String> = []
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name.hasPrefix(".") { continue }
      let path = folder + "/" + name
      if !name.hasSuffix(".swift") {
        found.formUnion(imports(in: path) ?? [])
        continue
      }
      guard let file = fopen(path, "r") else { return nil }
      defer { fclose(file) }
      var line: UnsafeMutablePointer<CChar>?
      var capacity = 0
      while getline(&line, &capacity, file) > 0, let text = line.map({ String(cString: $0) }) {
        let words = text.split(whereSeparator: \.isWhitespace)
        if let index = words.firstIndex(of: "import"), index <= 1, words.count > index + 1 { found.insert(String(words[index + 1])) }
      }
      free(line)
    }
    return found
  }
}
