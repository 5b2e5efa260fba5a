export { default } from "@/pages/runs/Runs";
