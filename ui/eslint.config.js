import hooks from "eslint-plugin-react-hooks";
import { defineConfig, globalIgnores } from "eslint/config";
import ts from "typescript-eslint";

// A folder may import those before it, never one after it.
const ORDER = ["base", "api", "parts", "charts", "plots", "artifacts", "frame", "pages"];
const SANITISER = "src/parts/Sanitised.tsx";
const SANITISER_HINT = `Markup from outside goes through ${SANITISER}.`;

const MARKUP = [
  { selector: "JSXAttribute[name.name='dangerouslySetInnerHTML']", message: SANITISER_HINT },
  { selector: "Property[key.name='dangerouslySetInnerHTML']", message: SANITISER_HINT },
  { selector: "MemberExpression[property.name=/^(innerHTML|outerHTML|insertAdjacentHTML)$/]", message: SANITISER_HINT },
  { selector: "CallExpression[callee.property.name='write'][callee.object.name='document']", message: SANITISER_HINT },
];

export default defineConfig(
  globalIgnores(["node_modules", "dist"]),
  {
    files: ["src/**/*.{ts,tsx}"],
    extends: [ts.configs.strict, hooks.configs.flat.recommended],
    languageOptions: { parserOptions: { ecmaFeatures: { jsx: true } } },
    rules: {
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_" }],
      "@typescript-eslint/consistent-type-imports": "error",
      "no-restricted-syntax": ["error", ...MARKUP],
      "react-hooks/incompatible-library": "off",  // it speaks of the React Compiler, which is not used
      "no-console": "error",
      eqeqeq: "error",
      "max-lines": ["error", { max: 400 }],
    },
  },
  { files: [SANITISER], rules: { "no-restricted-syntax": "off" } },
  { files: ["src/api/schema.ts"], rules: { "max-lines": "off" } },
  ...ORDER.map((folder, at) => ({
    files: [`src/${folder}/**/*.{ts,tsx}`],
    rules: {
      "no-restricted-imports": ["error", {
        patterns: [
          ...(ORDER.slice(at + 1).length ? [{
            group: ORDER.slice(at + 1).map((after) => `@/${after}/*`),
            message: `${folder}/ stands before this folder: see ui/README.md.`,
          }] : []),
          { group: ["../*"], message: "Other folders are imported by their full name: @/folder/module." },
        ],
      }],
    },
  })),
);
