import GatewayPlugin
import Glibc
import Testing

@testable import AgentForge

/// A Python that has the `tokenizers` library: `FORGE_PYTHON`, or `python3` of the path.
private enum Python {
  static let command = getenv("FORGE_PYTHON").map { String(cString: $0) } ?? "python3"

  static var hasTokenizers: Bool { run("-c 'import tokenizers' 2>/dev/null").status == 0 }

  static func run(_ arguments: String) -> (status: Int32, output: [UInt8]) {
    guard let pipe = popen("'\(command)' \(arguments)", "r") else { return (-1, []) }
    var output: [UInt8] = []
    while case let byte = fgetc(pipe), byte != EOF { output.append(UInt8(byte)) }
    return (pclose(pipe), output)
  }

  static func write(_ bytes: [UInt8], to path: String) throws {
    let file = try #require(fopen(path, "w"))
    fwrite(bytes, 1, bytes.count, file)
    fclose(file)
  }
}

@Suite("The tokenizer's file in Hugging Face's library")
struct HuggingFaceTokenizersTests {
  private static let script = """
    import json, sys
    from tokenizers import Tokenizer
    tokenizer = Tokenizer.from_file(sys.argv[1])
    encoded = [tokenizer.encode(text).ids for text in json.load(open(sys.argv[2]))]
    print(json.dumps({
        "size": tokenizer.get_vocab_size(),
        "special": tokenizer.token_to_id("<|endofturn|>"),
        "ids": encoded,
        "texts": [tokenizer.decode(ids) for ids in encoded],
    }))
    """

  @Test(
    "it gives the same tokens for the same text",
    .enabled(
      if: Python.hasTokenizers,
      "no `tokenizers` library: pip install tokenizers, and set FORGE_PYTHON to that Python"
    )
  )
  func itGivesTheSameTokens() throws {
    var texts = [
      "the cat sat on the mat", "The hat's  123 rats.\n\n  they'll see", " a\tb \n c", "",
      "x=1; y==22 !! ''s 'sam'", "schön é naïve Ωmega", "a\u{0}b\u{1F}c\u{7F}", "   ",
      String(repeating: "cat", count: 300),
    ]
    let corpus = Corpus.documents(seed: 4, bytes: 20_000).flatMap(\.texts)
    texts.append(String(decoding: Array(corpus.joined(separator: [10])), as: UTF8.self))
    let tokenizer = BPETrainer.train(
      on: [BPETrainerTests.text, Array("schön é naïve é é Ωmega Ω".utf8)],
      vocabulary: 400
    )
    var name = Array("/tmp/forge-tokenizer-XXXXXX".utf8CString)
    let folder = String(cString: try #require(mkdtemp(&name)))
    let paths = ["script.py", "tokenizer.json", "texts.json"].map { "\(folder)/\($0)" }
    defer {
      for path in paths { unlink(path) }
      rmdir(folder)
    }
    try Python.write(Array(Self.script.utf8), to: paths[0])
    try Python.write(tokenizer.json.bytes, to: paths[1])
    try Python.write(JSON.array(texts.map { .string($0) }).bytes, to: paths[2])
    let answer = try JSON.parse(Python.run(paths.joined(separator: " ")).output)
    #expect(answer["size"]?.asInteger == Int64(tokenizer.vocabulary))
    #expect(answer["special"]?.asInteger == Int64(Special.endOfTurn.id))
    for (index, text) in texts.enumerated() {
      let ids = answer["ids"]?.asArray?[index].asArray?.compactMap(\.asInteger).map { Int32($0) }
      #expect(ids == tokenizer.encode(text), "\(text)")
      #expect(answer["texts"]?.asArray?[index].asString == text)
    }
  }
}
