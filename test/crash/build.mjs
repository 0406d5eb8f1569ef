/**
 * Compiles the sources once more so that every access to memory goes through steps.mjs, where it is counted and may be
 * the last one: element loads and stores of typed arrays, their methods that touch bytes, Atomics, the addon, node:fs.
 * The compiler's types say what is a typed array; at run time only those over shared memory count.
 */
import { copyFileSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import ts from 'typescript';

const ROOT = path.join(import.meta.dirname, '../..');
const ARRAYS = /^(?:(?:Big)?(?:Int|Uint|Float)(?:8|16|32|64)(?:Clamped)?Array|Buffer)$/;
/** Methods that touch no bytes. */
const SILENT = new Set(['subarray', 'keys', 'entries', 'values']);
const COMPOUND = new Map([
  [ts.SyntaxKind.PlusEqualsToken, ts.SyntaxKind.PlusToken],
  [ts.SyntaxKind.MinusEqualsToken, ts.SyntaxKind.MinusToken],
  [ts.SyntaxKind.BarEqualsToken, ts.SyntaxKind.BarToken],
  [ts.SyntaxKind.AmpersandEqualsToken, ts.SyntaxKind.AmpersandToken],
  [ts.SyntaxKind.CaretEqualsToken, ts.SyntaxKind.CaretToken],
]);
const TIMERS = new Set(['setTimeout', 'setImmediate']);

/**
 * @param {string} directory to be filled: `mortal/` is the counted build, `dist/` the usual one, `crash/` these programs
 */
export function build(directory) {
  for (const name of ['node_modules', 'build', 'prebuilds', 'dist']) symlinkSync(path.join(ROOT, name), path.join(directory, name));
  const { imports, ...manifest } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8'));
  writeFileSync(path.join(directory, 'package.json'), JSON.stringify({ ...manifest, imports }));
  compileSources(path.join(directory, 'mortal'));
  compilePrograms(path.join(directory, 'crash'));
}

/** @param {string} outDir */
function compileSources(outDir) {
  const config = ts.getParsedCommandLineOfConfigFile(path.join(ROOT, 'tsconfig.json'), undefined, {
    ...ts.sys,
    onUnRecoverableConfigFileDiagnostic: (diagnostic) => {
      throw new Error(String(diagnostic.messageText));
    },
  });
  if (config === undefined) throw new Error('no tsconfig.json');
  const options = { ...config.options, outDir, incremental: false, declaration: false, declarationMap: false, sourceMap: false };
  delete options.tsBuildInfoFile;
  const files = config.fileNames.filter((file) => !file.includes('/src/cli/'));
  const program = ts.createProgram(files, options);
  const checker = program.getTypeChecker();
  program.emit(undefined, undefined, undefined, false, { before: [(context) => (file) => count(file, context, checker)] });
  copyFileSync(path.join(import.meta.dirname, 'steps.mjs'), path.join(outDir, 'steps.mjs'));
}

/** @param {string} outDir */
function compilePrograms(outDir) {
  mkdirSync(outDir, { recursive: true });
  const compilerOptions = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, verbatimModuleSyntax: true };
  const here = readdirSync(import.meta.dirname).filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'));
  for (const file of here) {
    const { outputText } = ts.transpileModule(readFileSync(path.join(import.meta.dirname, file), 'utf8'), { compilerOptions });
    writeFileSync(path.join(outDir, file.replace(/\.ts$/, '.js')), outputText);
  }
}

/** @param {ts.SourceFile} file @param {ts.TransformationContext} context @param {ts.TypeChecker} checker */
function count(file, context, checker) {
  const { factory } = context;
  const fsNames = namesFrom(file, 'node:fs');
  const hasNative = !file.fileName.endsWith('/src/native.ts');
  /** @param {string} name @param {readonly ts.Expression[]} given */
  const step = (name, given) =>
    factory.createCallExpression(factory.createPropertyAccessExpression(factory.createIdentifier('__steps'), name), undefined, given);
  /** @param {ts.Node} node */
  const expression = (node) => /** @type {ts.Expression} */ (ts.visitNode(node, visit));
  /** @param {ts.Node} node */
  const isArray = (node) => {
    const type = checker.getTypeAtLocation(node);
    const types = type.isUnion() ? type.types : [type];
    return types.some((one) => ARRAYS.test((one.getSymbol() ?? checker.getApparentType(one).getSymbol())?.name ?? ''));
  };
  /** @param {ts.Node} node @returns {node is ts.ElementAccessExpression} */
  const isElement = (node) => ts.isElementAccessExpression(node) && isArray(node.expression);
  /** @param {ts.NodeArray<ts.Expression>} given */
  const list = (given) => factory.createArrayLiteralExpression(given.map(expression));

  /** @param {ts.BinaryExpression} node @param {ts.ElementAccessExpression} left */
  function assignment({ operatorToken: { kind }, right }, left) {
    const at = [expression(left.expression), expression(left.argumentExpression)];
    if (kind === ts.SyntaxKind.EqualsToken) return step('set', [...at, expression(right)]);
    const operator = COMPOUND.get(kind);
    if (operator === undefined) throw new Error(`an assignment of an unknown kind in ${file.fileName}: ${left.getText()}`);
    const before = factory.createIdentifier('before');
    const value = factory.createBinaryExpression(before, operator, expression(right));
    const parameter = factory.createParameterDeclaration(undefined, undefined, 'before');
    return step('change', [...at, factory.createArrowFunction(undefined, undefined, [parameter], undefined, undefined, value)]);
  }

  /** @param {ts.CallExpression} node */
  function call(node) {
    const { expression: callee } = node;
    if (ts.isIdentifier(callee)) {
      if (TIMERS.has(callee.text)) {
        const [callback, ...rest] = node.arguments.map(expression);
        return factory.createCallExpression(callee, undefined, [step('later', [callback]), ...rest]);
      }
      const imported = fsNames.get(callee.text);
      if (imported === undefined || !imported.endsWith('Sync')) return undefined;
      return step('system', [factory.createStringLiteral(imported), callee, factory.createIdentifier('undefined'), list(node.arguments)]);
    }
    if (!ts.isPropertyAccessExpression(callee) || callee.questionDotToken !== undefined) return undefined;
    const name = factory.createStringLiteral(callee.name.text);
    const owner = callee.expression;
    if (ts.isIdentifier(owner) && owner.text === 'Atomics') return step('atomic', [name, ...node.arguments.map(expression)]);
    if (hasNative && ts.isIdentifier(owner) && owner.text === 'native') {
      return step('system', [name, factory.createPropertyAccessExpression(owner, callee.name), owner, list(node.arguments)]);
    }
    if (SILENT.has(callee.name.text) || !isArray(owner)) return undefined;
    return step('method', [expression(owner), name, list(node.arguments)]);
  }

  /** @param {ts.Node} node @returns {ts.Node} */
  function visit(node) {
    if (ts.isBinaryExpression(node) && isElement(node.left) && isAssignment(node)) return assignment(node, node.left);
    if ((ts.isPrefixUnaryExpression(node) || ts.isPostfixUnaryExpression(node)) && isElement(node.operand)) {
      const delta = { [ts.SyntaxKind.PlusPlusToken]: 1, [ts.SyntaxKind.MinusMinusToken]: -1 }[/** @type {number} */ (node.operator)];
      if (delta !== undefined) {
        const { expression: array, argumentExpression: index } = node.operand;
        return step(ts.isPostfixUnaryExpression(node) ? 'bumpAfter' : 'bump', [expression(array), expression(index), factory.createNumericLiteral(Math.abs(delta)), delta < 0 ? factory.createTrue() : factory.createFalse()]);
      }
    }
    if (isElement(node)) return step('get', [expression(node.expression), expression(node.argumentExpression)]);
    if (ts.isCallExpression(node)) return call(node) ?? ts.visitEachChild(node, visit, context);
    return ts.visitEachChild(node, visit, context);
  }

  const depth = path.relative(path.dirname(file.fileName), path.join(ROOT, 'src')) || '.';
  const clause = factory.createImportClause(undefined, undefined, factory.createNamespaceImport(factory.createIdentifier('__steps')));
  const imported = factory.createImportDeclaration(undefined, clause, factory.createStringLiteral(`./${depth}/steps.mjs`));
  const statements = file.statements.map((statement) => /** @type {ts.Statement} */ (ts.visitNode(statement, visit)));
  return factory.updateSourceFile(file, [imported, ...statements]);
}

/** @param {ts.BinaryExpression} node */
const isAssignment = ({ operatorToken: { kind } }) =>
  kind >= ts.SyntaxKind.FirstAssignment && kind <= ts.SyntaxKind.LastAssignment;

/** Names that a file imports from a module, by what it calls them. @param {ts.SourceFile} file @param {string} module */
function namesFrom(file, module) {
  /** @type {Map<string, string>} */
  const names = new Map();
  for (const statement of file.statements) {
    if (!ts.isImportDeclaration(statement) || !ts.isStringLiteral(statement.moduleSpecifier)) continue;
    const bindings = statement.importClause?.namedBindings;
    if (statement.moduleSpecifier.text !== module || bindings === undefined || !ts.isNamedImports(bindings)) continue;
    for (const { name, propertyName } of bindings.elements) names.set(name.text, (propertyName ?? name).text);
  }
  return names;
}
