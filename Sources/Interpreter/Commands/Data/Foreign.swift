import Formats
import Names
import Secrets

/// What `load` does not read, and the line that makes a file of it that is read.
enum Foreign {
  static func problem(_ path: String) -> (message: String, help: String)? {
    if let scheme = path.firstRange(of: "://")?.lowerBound, path[..<scheme].count > 1,
      path[..<scheme].allSatisfy({ $0.isLetter || $0.isNumber })
    {
      if path[..<scheme].lowercased() == "file", let local = local(path[scheme...].dropFirst(3)) {
        return ("`load` reads files, not addresses", "a file on this machine goes by its path: \(local)")
      }
      // What stands behind a name in an address is none of it.
      let address = path.prefix { $0 != "?" && $0 != "#" }
      let name = address.split(separator: "/").dropFirst(2).last.map(String.init) ?? ""
      let file = (name.contains(".") ? name : "data.jsonl").shellWord
      let fetches = ["http", "https", "ftp"].contains(path[..<scheme].lowercased())
      return ("`load` reads files, not addresses", fetches ? "!curl -fsSL \(path.shellWord) -o \(file)" : "fetch it first, as \(file)")
    }
    let name = path.split(separator: "/").last.map(String.init) ?? path
    guard let dot = name.lastIndex(of: ".") else { return nil }
    let made = ((name.split(separator: ".").first.map(String.init) ?? "data") + ".jsonl").shellWord
    let pandas = { (reader: String) in
      "!python3 -c 'import pandas, sys; pandas.\(reader)(sys.argv[1]).to_json(sys.argv[2], orient=\"records\", lines=True)' "
        + "\(path.shellWord) \(made)"
    }
    switch name[name.index(after: dot)...].lowercased() {
    case "parquet": return ("\(path): parquet is not read", pandas("read_parquet"))
    case "arrow", "feather": return ("\(path): Arrow is not read", pandas("read_feather"))
    case "xlsx", "xls", "ods": return ("\(path): spreadsheets are not read", pandas("read_excel"))
    case "yaml", "yml": return ("\(path): YAML is not read", "!yq -o=json -I=0 '.[]' \(path.shellWord) > \(made)")
    case "gz": return ("\(path): compressed files are not read", "!gunzip -k \(path.shellWord)")
    case "bz2": return ("\(path): compressed files are not read", "!bunzip2 -k \(path.shellWord)")
    case "xz": return ("\(path): compressed files are not read", "!unxz -k \(path.shellWord)")
    case "zst": return ("\(path): compressed files are not read", "!zstd -d \(path.shellWord)")
    case "zip": return ("\(path): archives are not read", "!unzip \(path.shellWord)")
    default: return nil
    }
  }

  /// The path that a `file:` address has behind its `//` (RFC 8089); nil where it is on another machine.
  private static func local(_ address: Substring) -> String? {
    guard let slash = address.firstIndex(of: "/"), ["", "localhost"].contains(address[..<slash].lowercased()) else { return nil }
    let path = address[slash...].prefix { $0 != "?" && $0 != "#" }
    let decoded = Userinfo.decoded(path)
    // A character of control is not shown, and a path with one would look like another.
    return decoded.unicodeScalars.contains { $0.properties.generalCategory == .control } ? String(path) : decoded
  }

  /// Of a file that is not UTF-8: a spreadsheet's export is often UTF-16, and one from Windows in its own letters.
  static func encoding(of path: String, _ error: FormatError, _ files: any Files) -> String? {
    guard error.message.hasSuffix("not UTF-8 text"), path != "-", let first = try? files.beginning(path, 2)?.bytes else { return nil }
    let isWide = first.starts(with: [0xFF, 0xFE]) || first.starts(with: [0xFE, 0xFF])
    let name = path.split(separator: "/").last.map(String.init) ?? path
    return (isWide ? "it is UTF-16: " : "if it is from Windows: ")
      + "!iconv -f \(isWide ? "UTF-16" : "WINDOWS-1252") -t UTF-8 \(path.shellWord) > \(("utf8-" + name).shellWord)"
      + (isWide ? "" : "; `--lenient` passes over bad rows")
  }
}
